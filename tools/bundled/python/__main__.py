"""Write the bundled tasks as JSON lines, one file a split."""

import importlib
import json

from environments.python.formats import BUNDLED
from tools.bundled.python.topic import Topic

TOPICS = (
    "sequences",
    "wording",
    "counting",
    "calendar_days",
    "grids",
    "market",
    "weather",
    "kitchen",
    "people",
    "loans",
    "journeys",
)


def texts() -> dict[str, str]:
    """The files' contents by split; the same sources give the same bytes."""
    lines: dict[str, list[str]] = {}
    for name in TOPICS:
        topic: Topic = importlib.import_module(f"tools.bundled.python.{name}").TOPIC
        for record in topic.records:
            line = json.dumps(record, ensure_ascii=False)
            lines.setdefault(topic.split, []).append(line)
    return {split: "\n".join(found) + "\n" for split, found in lines.items()}


def main() -> None:
    BUNDLED.mkdir(exist_ok=True)
    for split, text in texts().items():
        (BUNDLED / f"{split}.jsonl").write_text(text, "utf-8")


if __name__ == "__main__":
    main()

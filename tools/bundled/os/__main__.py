"""Write the bundled tasks as JSON lines, one file a split: `python -m tools.bundled.os`."""

import json

from environments.os.tasks import BUNDLED
from tools.bundled.os.archives import ARCHIVES
from tools.bundled.os.columns import COLUMNS
from tools.bundled.os.disk import DISK
from tools.bundled.os.finding import FINDING
from tools.bundled.os.links import LINKS
from tools.bundled.os.logs import ACCESS, LOGS
from tools.bundled.os.names import NAMES
from tools.bundled.os.permissions import PERMISSIONS
from tools.bundled.os.scripts import MORE, SCRIPTS
from tools.bundled.os.settings import CONFIGURATION, VARIABLES
from tools.bundled.os.texts import TEXTS

FAMILIES = (
    FINDING,
    COLUMNS,
    LOGS,
    PERMISSIONS,
    NAMES,
    ARCHIVES,
    LINKS,
    TEXTS,
    SCRIPTS,
    VARIABLES,
    ACCESS,
    MORE,
    CONFIGURATION,
    DISK,
)


def texts() -> dict[str, str]:
    """The files' contents by split; the same sources give the same bytes."""
    lines: dict[str, list[str]] = {}
    for family in FAMILIES:
        lines.setdefault(family.split, []).extend(map(json.dumps, family.records))
    return {split: "\n".join(found) + "\n" for split, found in lines.items()}


def main() -> None:
    BUNDLED.mkdir(exist_ok=True)
    for split, text in texts().items():
        (BUNDLED / f"{split}.jsonl").write_text(text, "utf-8")


if __name__ == "__main__":
    main()

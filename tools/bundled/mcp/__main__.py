"""Write the bundled tasks of the world `mcp`, one file for each server."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.bundled.mcp import filesystem_tasks, git_tasks, memory_tasks, sqlite_tasks

TARGET = Path(__file__).parents[3] / "environments" / "mcp_servers" / "data"
FILES = {
    "filesystem": filesystem_tasks,
    "git": git_tasks,
    "memory": memory_tasks,
    "sqlite": sqlite_tasks,
}


def lines(name: str) -> str:
    """Return the text of a file: the server, then its tasks."""
    made = FILES[name]
    records: list[Mapping[str, Any]] = [{"mcpServers": {name: made.SERVER}}, *made.tasks()]
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def main() -> None:
    """Write all files."""
    TARGET.mkdir(exist_ok=True)
    for name in FILES:
        (TARGET / f"{name}.jsonl").write_text(lines(name), "utf-8")


if __name__ == "__main__":
    main()

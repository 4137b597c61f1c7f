"""The check that all readers of task files share."""

from pathlib import Path

from environments.errors import DataError
from environments.types import Task


def check_unique_ids(path: Path, tasks: list[Task], field: str) -> list[Task]:
    """Return `tasks` of the file `path`; raise DataError if two share an id, read from `field`."""
    seen: set[str] = set()
    for index, task in enumerate(tasks):
        if task.id in seen:
            raise DataError(f"{path}: record {index}: {field} is not unique: {task.id}")
        seen.add(task.id)
    return tasks

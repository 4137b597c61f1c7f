"""What the readers of task files share."""

from pathlib import Path

from environments.errors import DataError
from environments.types import Task


def distinct(path: Path, tasks: list[Task], field: str) -> list[Task]:
    """`tasks`, of the file `path`; raises DataError where two have one id, which `field` holds."""
    seen: set[str] = set()
    for index, task in enumerate(tasks):
        if task.id in seen:
            raise DataError(f"{path}: record {index}: {field} is not unique: {task.id}")
        seen.add(task.id)
    return tasks

"""Tasks of an OpenEnv environment: from a file of the user's, or from the environment itself.

A record of a file is an object with these fields, all optional:

| field | |
|---|---|
| `id`, `group`, `split` | as everywhere |
| `reset` | the arguments of `reset`, such as `{"seed": 3}` |
| `prompt` | what the agent reads; without it, the observation of the reset |
| `tools` | the tools of this task, as MCP describes them; without it, those of the environment |
| `solution` | calls that solve it, each `{"tool": ..., "arguments": {...}, "thought": ...}` |

A call of a solution may have `mistakes`: calls that are plausible in its place, and wrong.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from environments.errors import DataError
from environments.records import BadRecord, Faults, Record, make_tasks, of_split, read_records
from environments.types import Task
from environments.written_calls import calls_in


def file_tasks(path: str, split: str | None, *, strict: bool) -> list[Task]:
    """Return the tasks of a file; of `split` only, if that is given.

    Raises:
        DataError: It cannot be read, or holds no task of the split.
    """
    faults = Faults(strict)
    tasks = make_tasks(
        read_records(Path(path), faults), lambda record: _task(record, faults), faults
    )
    faults.report()
    return of_split(tasks, split, Path(path))


def own_tasks(specs: Sequence[Mapping[str, Any]], split: str, *, strict: bool) -> list[Task]:
    """Return the tasks that an environment tells about itself: reset by split and index.

    Raises:
        DataError: It tells none.
    """
    faults = Faults(strict)
    records = [
        Record(
            f"the environment's {split!r}: task {index}",
            index,
            {
                "id": f"{split}-{index}",
                "reset": {"split": split, "index": index},
                **{key: value for key, value in spec.items() if value is not None},
                "split": split,
                "tools": spec.get("available_tools"),
            },
        )
        for index, spec in enumerate(specs)
    ]
    tasks = make_tasks(records, lambda record: _task(record, faults), faults)
    faults.report()
    if not tasks:
        raise DataError(f"the environment has no task of the split {split!r}")
    return tasks


def _task(record: Record, faults: Faults) -> Task:
    id = record.id("id", faults)
    reset = record.fields.get("reset") or {}
    if not isinstance(reset, dict):
        raise BadRecord(record.place, "field 'reset' must be an object")
    solution = record.fields.get("solution")
    if solution is not None:
        solution = calls_in(record, "solution", solution)
        for call in solution:
            calls_in(record, "mistakes", call.get("mistakes"))
    return Task(
        id,
        record.maybe("prompt"),
        {} if solution is None else {"solution": solution},
        {"reset": reset, "tools": record.fields.get("tools") or None},
        group=record.id("group", faults, id),
        split=record.maybe("split"),
    )

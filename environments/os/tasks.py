"""Tasks of the world "os" from our own JSON lines, or from AgentBench's data.

Our format has one object per line. It is about files below the working directory: `prompt`; `files`
(texts by path; a path that ends in "/" is a folder), `links` (targets of symbolic links, by path),
`modes` (octal, by path), `times` ("2024-01-31 12:00", by path). An `answer` (a text or number, or a
list of all that are right) makes it a question, `checks` (objects as in `inside.checks`) an
operation; both may be there. Optional are `solution` (objects with `command`, `thought` and
`mistakes`, a list of wrong commands), `wrong_answers`, `id`, `group` and `split`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from environments.os.agent_bench import bench_records, bench_task, script_folder
from environments.os.inside.checks import CHECKS
from environments.os.sealing import sealed
from environments.records import (
    BadRecord,
    Faults,
    Record,
    bundled_split,
    make_tasks,
    of_split,
    read_records,
)
from environments.types import Task

BUNDLED = Path(__file__).parent / "data"
"""The bundled tasks: `train.jsonl` and `test.jsonl`."""

Format = Literal["jsonl", "agentbench"]


def os_tasks(
    data: str | None,
    split: str | None,
    format: str | None,
    scripts: str | None,
    *,
    strict: bool = False,
) -> list[Task]:
    """Return the tasks of the file `data`, or bundled ones (by default the train split).

    A record that makes no task is told and left out, unless `strict`.

    Raises:
        DataError: the message names the file and the record.
    """
    faults = Faults(strict)
    if data is None:
        path = bundled_split(BUNDLED, split)
        return make_tasks(read_records(path, faults), lambda record: _own(record, faults), faults)
    path = Path(data)
    records = bench_records(path, faults)
    make: Callable[[Record], Task] = lambda record: _own(record, faults)  # noqa: E731
    if (format or _guess(records[0])) == "agentbench":
        folder = Path(scripts) if scripts else script_folder(path)
        make = lambda record: bench_task(record, faults, path, folder)  # noqa: E731
    tasks = make_tasks(records, make, faults)
    faults.report()
    return of_split(tasks, split, path)


def _guess(record: Record) -> Format:
    return "agentbench" if {"description", "evaluation"} <= set(record.fields) else "jsonl"


def _own(record: Record, faults: Faults) -> Task:
    details = {name: _by_path(record, name) for name in ("files", "links", "modes", "times")}
    file = Path(record.place).name.partition(".")[0]
    id = record.id("id", faults, f"{file}-{record.index:04d}")
    hidden = _hidden(record)
    return Task(
        id=id,
        prompt=record.text("prompt").strip(),
        secret=_solution(record) | {"sealed": sealed(hidden)},
        details={name: value for name, value in details.items() if value},
        tags={"kind": "question" if "answer" in hidden else "operation"},
        group=record.maybe("group") or id,
        split=record.maybe("split"),
    )


def _hidden(record: Record) -> dict[str, Any]:
    if not record.fields.keys() & {"answer", "checks"}:
        raise BadRecord(record.place, "needs 'answer' or 'checks'")
    hidden: dict[str, Any] = {}
    if "answer" in record.fields:
        given = record.fields["answer"]
        right = given if isinstance(given, list) else [given]
        if not right or not all(type(text) in (int, float, str) and str(text) for text in right):
            raise BadRecord(record.place, "field 'answer' must be a number, a text, or a list")
        hidden["answer"] = [str(text) for text in right]
    if checks := record.fields.get("checks"):
        hidden["checks"] = _checks(record, checks)
    if wrong := record.texts("wrong_answers"):
        hidden["wrong_answers"] = wrong
    return hidden


def _checks(record: Record, checks: Any) -> list[dict[str, Any]]:
    if not isinstance(checks, list) or not all(isinstance(check, dict) for check in checks):
        raise BadRecord(record.place, "field 'checks' must be a list of objects")
    for check in checks:
        if check.get("check") not in CHECKS:
            known = ", ".join(CHECKS)
            raise BadRecord(record.place, f"no check {check.get('check')!r}; use one of {known}")
    return checks


def _solution(record: Record) -> dict[str, Any]:
    steps = record.fields.get("solution")
    if steps is None:
        return {}
    if not isinstance(steps, list) or not all(_is_step(step) for step in steps):
        raise BadRecord(record.place, "field 'solution' must be a list of objects with 'command'")
    return {"solution": [{"thought": ""} | step for step in steps]}


def _is_step(step: Any) -> bool:
    return isinstance(step, dict) and isinstance(step.get("command"), str)


def _by_path(record: Record, name: str) -> dict[str, str]:
    found = record.fields.get(name) or {}
    if not isinstance(found, Mapping):
        raise BadRecord(record.place, f"field {name!r} must be an object by path")
    for path, value in found.items():
        parts = PurePosixPath(path).parts
        below = bool(parts) and parts[0] != "/" and ".." not in parts and "\0" not in path
        if not below or not isinstance(value, str):
            raise BadRecord(record.place, f"{name}: {path!r}: not a text below the directory")
    return dict(found)


def task_from(fields: Mapping[str, Any]) -> Task:
    """Return the task of an object in our own format.

    Raises:
        BadRecord: It makes none.
    """
    return _own(Record("the task", 0, dict(fields)), Faults(strict=True))

"""Tasks of the world "os" from our own JSON lines, or from AgentBench's data.

Our format has one object per line. It is about files below the working directory: `prompt`; `files`
(texts by path; a path that ends in "/" is a folder), `links` (targets of symbolic links, by path),
`modes` (octal, by path), `times` ("2024-01-31 12:00", by path); with `root`, the agent also has
/etc, /usr/local and the like. An `answer` (a text or number, or a
list of all that are right) makes it a question, `checks` (objects as in `inside.checks`) an
operation; both may be there. Optional are `solution` (objects with `command`, `thought` and
`mistakes`, a list of wrong commands), `wrong_answers`, `id`, `group` and `split`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import jsonschema

from environments.os.agent_bench import bench_records, bench_task, script_folder
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

CHECKS = (
    *("text", "lines", "absent", "mode", "link", "same_file", "tree", "archive", "runs", "scripts"),
)
"""Functions of `inside.checks`."""
SHOWN = ("files", "links", "modes", "times")
BY_PATH: dict[str, Any] = {
    "type": ["object", "null"],
    "propertyNames": {"pattern": r"^(?!/)(?!(.*/)?\.\.(/|$))[^\0]*[^\0/.][^\0]*$"},
    "additionalProperties": {"type": "string"},
}
"""Texts by paths below the working directory."""
RIGHT = {"type": ["string", "number"], "minLength": 1}
FORM = jsonschema.Draft202012Validator(
    {
        "properties": {
            **dict.fromkeys(SHOWN, BY_PATH),
            "root": {"type": "boolean"},
            "answer": {"type": ["string", "number", "array"], "minLength": 1, "minItems": 1}
            | {"items": RIGHT},
            "checks": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"check": {"enum": CHECKS}},
                    "required": ["check"],
                },
            },
            "solution": {
                "type": ["array", "null"],
                "items": {
                    "type": "object",
                    "properties": {"command": {"type": "string"}},
                    "required": ["command"],
                },
            },
        },
        "anyOf": [{"required": ["answer"]}, {"required": ["checks"]}],
    }
)
"""The form of a record of ours; the rest of its fields are texts."""
FINDABLE = (
    *("answer", "wrong_answers", "checks.check", "checks.path", "checks.is_", "checks.are"),
    *("checks.to", "checks.other", "checks.folder", "checks.holds", "checks.command"),
    "checks.prints",
)
"""Right commands show the answer, paths, and what a file or a program should say in the end. What
they cannot show is the solution itself, and the inputs that a script is tried with."""
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
    fields = record.fields
    _require_form(record)
    file = Path(record.place).name.partition(".")[0]
    id = record.id("id", faults, f"{file}-{record.index:04d}")
    secret: dict[str, Any] = {}
    if fields.get("solution") is not None:
        secret["solution"] = [{"thought": ""} | step for step in fields["solution"]]
    if "answer" in fields:
        right = fields["answer"] if isinstance(fields["answer"], list) else [fields["answer"]]
        secret["answer"] = [str(text) for text in right]
    if fields.get("checks"):
        secret["checks"] = fields["checks"]
    if wrong := record.texts("wrong_answers"):
        secret["wrong_answers"] = wrong
    prompt = record.text("prompt").strip()
    # A prompt may say what is to be run; elsewhere no observation shows a command of the solution.
    told = any(str(step.get("command")) in prompt for step in secret.get("solution", ()))
    return Task(
        id=id,
        prompt=prompt,
        secret=secret,
        findable=(*FINDABLE, "solution.command") if told else FINDABLE,
        details={name: fields[name] for name in (*SHOWN, "root") if fields.get(name)},
        tags={"kind": "question" if "answer" in fields else "operation"},
        group=record.maybe("group") or id,
        split=record.maybe("split"),
    )


def _require_form(record: Record) -> None:
    """Raise `BadRecord` if a field is wrong."""
    wrong = jsonschema.exceptions.best_match(FORM.iter_errors(record.fields))
    if wrong is None:
        return
    if not wrong.absolute_path and wrong.validator != "propertyNames":
        raise BadRecord(record.place, "needs 'answer' or 'checks'")
    field = ".".join(map(str, wrong.absolute_path))
    outside = f"{wrong.instance!r:.99} is not a path below the working directory"
    why = outside if wrong.validator == "pattern" else f"{wrong.message:.200}"
    raise BadRecord(record.place, f"field {field!r}: {why}")


def task_from(fields: Mapping[str, Any]) -> Task:
    """Return the task of an object in our own format.

    Raises:
        BadRecord: It makes none.
    """
    return _own(Record("the task", 0, dict(fields)), Faults(strict=True))

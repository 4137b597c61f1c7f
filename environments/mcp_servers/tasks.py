"""Tasks from JSON lines: what is set up, which servers there are, and how the end is graded."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from environments.mcp_servers.inside.paths import WORK
from environments.mcp_servers.servers import Server, described
from environments.records import BadRecord, Faults, Record, make_tasks, of_split, read_records
from environments.types import Task
from environments.written_calls import calls_in

BUNDLED = Path(__file__).parent / "data"
GRADERS = ("files", "absent", "answer", "check")
"""Fields that say how the end of a task is graded; a task has one of them at least."""

FINDABLE = (
    *("grader.answer", "grader.files", "grader.absent", "grader.others"),
    *("solution.tool", "solution.arguments", "mistakes.tool", "mistakes.arguments"),
    *("solution.thought", "mistakes.thought"),
)
"""A right call shows an answer, what it made of a file, or an argument of a later call.

A prompt may hold the words of a thought: "switch to it".
"""


def load(
    paths: Sequence[Path], split: str | None, servers: Mapping[str, Server], strict: bool
) -> tuple[list[Task], dict[str, Server]]:
    """Return the tasks of the files, and the servers: those given, and those of the files.

    Raises:
        DataError: a file cannot be read, or holds no task of the split.
    """
    faults, records, known = Faults(strict), [], dict(servers)
    for path in paths:
        for record in read_records(path, faults):
            if "mcpServers" in record.fields:
                known |= described(record.fields, record.place)
            else:
                records.append(record)
    default = next(iter(servers), "")
    tasks = make_tasks(records, lambda record: _task(record, known, default, faults), faults)
    faults.report()
    return of_split(tasks, split, paths[0]), known


def _task(record: Record, known: Mapping[str, Server], default: str, faults: Faults) -> Task:
    id = record.id("id", faults)
    names = _servers(record, known, default)
    grader = {key: record.fields[key] for key in (*GRADERS, "others") if key in record.fields}
    _require_grader(record, grader)
    secret: dict[str, Any] = {"grader": grader, "id": id}
    for key, more in (("solution", {}), ("mistakes", {"at": int})):
        calls = calls_in(record, key, record.fields.get(key), arguments=dict, **more)
        secret[key] = json.loads(json.dumps(calls).replace("{work}", WORK))
    return Task(
        id=id,
        prompt=record.text("prompt").replace("{work}", WORK),
        secret=secret,
        details={
            "servers": names,
            "files": _files(record, "files_before"),
            "setup": record.maybe("setup"),
        },
        tags={"server": "+".join(names)},
        findable=FINDABLE,
        group=record.maybe("group") or id,
        split=record.maybe("split"),
    )


def _servers(record: Record, known: Mapping[str, Server], default: str) -> list[str]:
    given = record.fields.get("server", default)
    names = given if isinstance(given, list) else [given]
    if names == [""]:
        raise BadRecord(record.place, "no server: add 'server' to it, or give --env-arg server=")
    for name in names:
        if name not in known:
            raise BadRecord(
                record.place, f"no server {name!r}; known: {', '.join(known) or 'none'}"
            )
    return names


def _require_grader(record: Record, grader: Mapping[str, Any]) -> None:
    if not any(key in grader for key in GRADERS):
        raise BadRecord(record.place, f"no grader: give one of {', '.join(GRADERS)}")
    if "files" in grader:
        _files(record, "files")
    record.texts("absent")
    record.maybe("check")
    if not isinstance(grader.get("answer", ""), str | int | float):
        raise BadRecord(record.place, "field 'answer' must be text or a number")
    if grader.get("others", "same") not in ("same", "any"):
        raise BadRecord(record.place, "field 'others' must be 'same' or 'any'")


def _files(record: Record, key: str) -> dict[str, str]:
    given = record.fields.get(key) or {}
    if not isinstance(given, dict) or not all(isinstance(each, str) for each in given.values()):
        raise BadRecord(record.place, f"field {key!r} must be an object of texts by path")
    for path in given:
        if path.startswith("/") or ".." in path.split("/"):
            raise BadRecord(record.place, f"field {key!r}: {path!r} is not a path below the folder")
    return given

"""AgentBench's OS tasks (Liu et al. 2023, arXiv:2308.03688; Apache-2.0), read from its files.

A record has `description`, `create` (with `init`, one script or several), `start` (what runs beside
the agent), and `evaluation` (`match`, or `check` with an `example`). A script is a text of bash, or
an object with `language` and `code` or `file`. The checks are called as there: each with the answer
and with what those before it printed; null stands for the example.

The originals run as root in a container of their own. Here there is no root, and the system's own
folders cannot be changed. A task that needs more is told and left out: see `CANNOT`.
"""

import json
import re
from pathlib import Path
from typing import Any

from environments.forked.inside.shell import SYSTEM
from environments.records import BadRecord, Faults, Record, read_records
from environments.types import Task
from treegraft.file_errors import FileError
from treegraft.text_files import read_text

CANNOT = {
    "other users, groups or rights of root": (
        r"\b(useradd|adduser|groupadd|usermod|userdel|chown|chgrp|sudo|su|passwd|visudo)\b"
    ),
    "packages or a network": r"\b(apt|apt-get|dpkg|pip3?|npm|curl|wget|ifconfig|ping|netstat|ss)\b",
    "the machine's processes or services": (
        r"\b(ps|top|pgrep|pkill|killall|systemctl|service|crontab|nohup|uptime|free|lsof)\b|/proc/"
    ),
    "a compiler": r"\b(gcc|g\+\+)\b",
}
"""What a task here cannot do, by the words of its texts that tell."""
ABSOLUTE = re.compile(r"(?:(?<=[\s\"=>])|^)/(\w[\w-]*(?:/\w+)?)", re.MULTILINE)
OPEN = ("bin/bash", "bin/sh", "dev/null")
"""What a task may name in the folders of `SYSTEM`."""


def bench_records(data: Path, faults: Faults) -> list[Record]:
    """Return the records of a file, which may hold a single one."""
    try:
        whole = json.loads(read_text(data))
    except (FileError, ValueError):
        whole = None
    if isinstance(whole, dict):
        return [Record(f"{data}: record 0", 0, whole)]
    return read_records(data, faults)


def script_folder(data: Path) -> Path:
    """Return where the scripts of AgentBench's `data/1/x.json` or `data/dev.json` lie.

    They are in `scripts/1` or `scripts/dev`, beside `data`.
    """
    place = data.resolve()
    folders = (
        place.parents[2] / "scripts" / place.parent.name,
        place.parents[1] / "scripts" / place.stem.partition("-")[0],
    )
    return next(filter(Path.is_dir, folders), place.parent)


def bench_task(record: Record, faults: Faults, data: Path, scripts: Path) -> Task:
    """Return the task of a record; raise `BadRecord` if it cannot be played here."""
    create = record.fields.get("create") or {}
    if not isinstance(create, dict):
        raise BadRecord(record.place, "field 'create' must be an object")
    read = [_script(record, scripts, each) for each in _listed(create.get("init"))]
    if record.fields.get("start"):
        raise BadRecord(record.place, "cannot be played here: it needs a program beside the agent")
    secret = _evaluation(record, scripts)
    texts = [record.text("description"), *(text for _, text in read)]
    texts += [step["command"] for step in secret.get("solution", ())]
    texts += [text for check in secret.get("checks", ()) for _, text in check["chain"]]
    if trouble := _trouble("\n".join(texts)):
        raise BadRecord(record.place, f"cannot be played here: {trouble}")
    name = f"{data.parent.name}-{data.stem}" if data.parent.name.isdigit() else data.stem
    id = f"agentbench-{name}-{record.index:03d}"
    return Task(
        id=id,
        prompt=record.text("description").strip(),
        secret=secret,
        findable=("answer",),
        details={"init": read, "root": True},
        tags={"kind": "question" if secret.get("prints_answer") else "operation"},
        group=id,
        split="test",
    )


def _trouble(text: str) -> str:
    """Return what in the texts of a task cannot be had here; "" if nothing is known."""
    for why, words in CANNOT.items():
        if found := re.search(words, text):
            return f"{why} ({found[0]!r})"
    for path in ABSOLUTE.findall(text):
        if not SYSTEM.isdisjoint((path, path.partition("/")[0])) and path not in OPEN:
            return f"the system's own files ('/{path}')"
    return ""


def _evaluation(record: Record, scripts: Path) -> dict[str, Any]:
    """Return the secret of a task."""
    given = record.fields.get("evaluation")
    if not isinstance(given, dict):
        raise BadRecord(record.place, "field 'evaluation' must be an object")
    if "match" in given:
        return _match(record, given["match"])
    example = given.get("example")
    code = _script(record, scripts, example) if example else None
    chain = [_script(record, scripts, each) if each else code for each in _listed(given["check"])]
    if not all(chain):
        raise BadRecord(record.place, "its check needs an example, and there is none")
    secret: dict[str, Any] = {"checks": [{"check": "scripts", "chain": chain}]}
    if code is not None and code[0] == "bash":
        secret["solution"] = [{"command": code[1], "thought": "This should do."}]
        secret["prints_answer"] = code in chain
    return secret


def _match(record: Record, match: Any) -> dict[str, Any]:
    if isinstance(match, dict):
        match = match.get("answer")
    if not isinstance(match, str):
        raise BadRecord(record.place, "cannot be graded here: it matches no plain text")
    return {"solution": [], "answer": [match]}


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _script(record: Record, folder: Path, given: Any) -> tuple[str, str]:
    """Return the language and the text of a script."""
    if isinstance(given, str):
        return "bash", given
    if not isinstance(given, dict):
        raise BadRecord(record.place, "a script must be a text or an object")
    language = given.get("language", "bash")
    if language not in ("bash", "python"):
        raise BadRecord(record.place, f"cannot be played here: a script in {language!r}")
    if isinstance(code := given.get("code"), str):
        return language, code
    try:
        return language, read_text(folder / str(given.get("file")))
    except FileError as error:
        raise BadRecord(record.place, str(error)) from error

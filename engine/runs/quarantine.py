"""The quarantine: tasks that `engine validate` found unsound, and that runs leave out.

An entry is for a task, known by its id and its content. So it is found for any split, and for any
spelling or copy of the data; and a task that was corrected is a new one.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from engine.errors import UsageError
from environments.types import Task
from treegraft.text_files import read_text
from treegraft.write_files import is_stream, write_text

FOLDER = Path("runs")


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A quarantine file.

    Attributes:
        env: The environment; "" in files of earlier versions.
        data: The absolute path of the data; "" for the bundled tasks.
        tasks: Reasons, by task id.
        contents: Fingerprints of the tasks, by id; empty in files of earlier versions, whose
            entries hold for all tasks of their data.
    """

    env: str = ""
    data: str = ""
    tasks: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file that `engine validate` wrote.

        Raises:
            UsageError: It is not such a file.
        """
        try:
            content = json.loads(read_text(file))
            tasks, contents = (
                {str(id): str(text) for id, text in part.items()}
                for part in (content["tasks"], content.get("contents", {}))
            )
            return cls(str(content.get("env", "")), str(content["data"]), tasks, contents)
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise UsageError(
                f"{file} is not a quarantine file ({error}); `engine validate` writes one"
            ) from error

    def write(self, file: Path) -> None:
        """Write the file that `read` reads."""
        content: dict[str, Any] = {
            "env": self.env,
            "data": self.data,
            "tasks": dict(self.tasks),
            "contents": dict(self.contents),
        }
        write_text(file, json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    def updated(self, examined: Iterable[Task], reasons: Mapping[str, str]) -> "Quarantine":
        """Return it with new verdicts on the tasks examined, and the earlier ones on others."""
        known = {task.id: task for task in examined}
        earlier = {id: text for id, text in self.tasks.items() if id not in known}
        kept = {id: text for id, text in self.contents.items() if id in earlier}
        new = {id: fingerprint(known[id]) for id in reasons}
        return Quarantine(self.env, self.data, earlier | dict(reasons), kept | new)

    def reasons(self, tasks: Iterable[Task], data: str | None) -> dict[str, str]:
        """Return the reasons to leave out some of `tasks`, which are of `data`, by id."""
        same = self.data == same_data(data)
        return {
            task.id: self.tasks[task.id]
            for task in tasks
            if task.id in self.tasks
            and (self.contents[task.id] == fingerprint(task) if task.id in self.contents else same)
        }


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The tasks that a run leaves out.

    Attributes:
        reasons: By task id.
        notes: What to tell the user.
    """

    reasons: Mapping[str, str]
    notes: Sequence[str]


def left_out(
    env: str, data: str | None, tasks: Sequence[Task], file: Path | None = None
) -> LeftOut:
    """Return which of `tasks` to leave out: those in `file`, or in any that `validate` wrote.

    Raises:
        UsageError: A file is not a quarantine file.
    """
    reasons: dict[str, str] = {}
    notes = []
    for each in [file] if file else _files(env):
        found = Quarantine.read(each)
        if not file and found.env not in ("", env):
            continue
        here = found.reasons(tasks, data)
        if here:
            notes.append(f"{len(here)} tasks are left out: {each}")
        elif file and found.tasks:
            notes.append(f"no task is left out: {each} is for other tasks or other data")
        if changed := _changed(found, tasks, here, data):
            notes.append(f"{changed} tasks of {each} have changed since: validate them again")
        reasons |= here
    return LeftOut(reasons, notes)


def default_file(env: str, data: str | None) -> Path:
    """Return where `engine validate` writes the quarantine of some data."""
    place = same_data(data)
    name = f"{_clean(env)}-{sha256(place.encode()).hexdigest()[:8]}" if place else _clean(env)
    return FOLDER / f"quarantine-{name}.json"


def earlier(file: Path, env: str, data: str | None) -> Quarantine:
    """Return the quarantine in `file` if it is of the same data, else an empty one."""
    new = Quarantine(env, same_data(data))
    if file.exists() and not is_stream(file):
        found = Quarantine.read(file)
        if found.data == new.data and found.env in ("", env):
            return Quarantine(env, found.data, found.tasks, found.contents)
    return new


def fingerprint(task: Task) -> str:
    """Return 16 hex digits that tell whether a task is still the same, wherever its data lies."""
    content = json.dumps(
        [task.id, task.prompt, dict(task.secret)],
        sort_keys=True,
        default=lambda v: type(v).__name__,
    )
    return sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def same_data(data: str | None) -> str:
    """Return the absolute path of a data folder; "" for the bundled tasks."""
    return str(Path(data).resolve()) if data else ""


def _changed(
    found: Quarantine, tasks: Sequence[Task], here: Mapping[str, str], data: str | None
) -> int:
    if found.data != same_data(data):
        return 0
    return sum(task.id in found.contents and task.id not in here for task in tasks)


def _files(env: str) -> list[Path]:
    """Return the files that `validate` wrote for `env`; version 0.2 wrote one per split."""
    return sorted(
        [
            *FOLDER.glob(f"quarantine-{_clean(env)}.json"),
            *FOLDER.glob(f"quarantine-{_clean(env)}-*.json"),
        ]
    )


def _clean(env: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in env)

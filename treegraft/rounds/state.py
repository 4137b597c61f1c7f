"""Which steps of a run of rounds are done, with what command and what came of it: `rounds.json`.

A step is here once it is done to its end, never before; the file is replaced whole. So a run that
was killed goes on by being run again: what is here is passed over, what is not is done, and the
commands themselves go on where they stopped.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from engine.config import without_password
from engine.errors import UsageError
from engine.runs.atomic import write_text

FILE = "rounds.json"
VERSION = 1

Result = Mapping[str, Any]
"""What came of a step, JSON only."""


@dataclass(frozen=True, slots=True)
class Done:
    """A step that is done.   command: its words.   seconds: of the last try."""

    command: list[str]
    result: Result
    seconds: float


@dataclass(slots=True)
class State:
    """What `rounds.json` holds.

    folder: of the run.   now: the step under way or next, "2/sft"; "" where there is none.
    port: where the student is served, always the same: the address is part of what a run of
        `engine explore` is, and of the journal's keys; 0 until it is chosen.
    tasks: ids of "train" and "held_out", with which the run began.
    done: steps by name, in the order in which they were done.
    """

    folder: Path
    now: str = ""
    port: int = 0
    tasks: Mapping[str, list[str]] = field(default_factory=dict)
    done: dict[str, Done] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The state of the run in `folder`; an empty one where there is none yet.

        Raises:
            UsageError: the file is not one of these.
        """
        file = folder / FILE
        if not file.exists():
            return cls(folder)
        try:
            content = json.loads(file.read_text("utf-8"))
            if content["version"] != VERSION:
                raise UsageError(f"{file} is of another version of Treegraft; choose another --out")
            done = {name: Done(**value) for name, value in content["done"].items()}
            return cls(folder, content["now"], content["port"], content["tasks"], done)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{file} is no state of `engine rounds`: {error}") from error

    def claim(self, port: int, tasks: Mapping[str, list[str]]) -> None:
        """Make a new folder the run's, or see that it is of the same tasks.

        Raises:
            UsageError: it is not.
        """
        if not self.tasks:
            self.port, self.tasks = port, tasks
            self._save()
        for side, ids in tasks.items():
            if ids != self.tasks[side]:
                raise UsageError(
                    f"{self.folder} was made of other {side} tasks ({len(self.tasks[side])} then, "
                    f"{len(ids)} now): put [tasks] and its data back, or choose another --out"
                )

    def begin(self, name: str) -> None:
        """Say that step `name` is under way; "": that nothing is left."""
        if self.now != name:
            self.now = name
            self._save()

    def finish(self, name: str, command: Sequence[str], result: Result, seconds: float) -> None:
        """Keep what came of step `name`."""
        self.done[name] = Done(self.public(command), result, round(seconds, 1))
        self._save()

    def earlier(self, name: str, command: Sequence[str]) -> Result | None:
        """What came of step `name`; None where it is not done.

        Raises:
            UsageError: it was done by another command; a file of other settings is another run.
        """
        done = self.done.get(name)
        if done is None:
            return None
        if changed := difference(done.command, self.public(command)):
            raise UsageError(
                f"{self.folder} was made with other settings ({name}: {changed}): put them back, "
                "or choose another --out"
            )
        return done.result

    def public(self, command: Sequence[str]) -> list[str]:
        """`command` as it is kept: whatever the folder is called, and without passwords."""
        folder = str(self.folder)
        return [str(without_password(word)).replace(folder, "OUT") for word in command]

    def _save(self) -> None:
        done = {name: asdict(step) for name, step in self.done.items()}
        content = {"version": VERSION, "now": self.now, "port": self.port}
        content |= {"tasks": self.tasks, "done": done}
        write_text(self.folder / FILE, json.dumps(content, indent=1) + "\n")


def difference(before: Sequence[str], now: Sequence[str]) -> str:
    """How two commands differ, in words; "" where they do not."""
    old, new = _flags(before), _flags(now)
    return ", ".join(
        f"{name} was {old.get(name, 'not given')} and is {new.get(name, 'not given')}"
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    )


def _flags(command: Sequence[str]) -> dict[str, str]:
    """The values of a command's flags; what stands before the first flag is its name."""
    found: dict[str, str] = {}
    name = "the command"
    for word in command:
        if word.startswith("--"):
            name = word
            found[name] = ""
        else:
            found[name] = f"{found.get(name, '')} {word}".strip()
    return {name: value or "given" for name, value in found.items()}

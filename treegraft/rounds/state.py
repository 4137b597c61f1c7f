"""`rounds.json`: the finished steps of a run of rounds, with their options and results.

A step is recorded when it is finished, never before, and the file is replaced as a whole. So a run
that was killed is resumed by starting it again: finished steps are skipped, the others are done,
and each step resumes by itself.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from engine.cli.option_table import Options
from engine.config import without_password
from engine.errors import UsageError
from treegraft.rounds.subprocesses import Result
from treegraft.text_files import read_text
from treegraft.write_files import write_text

FILE = "rounds.json"
VERSION = 2


@dataclass(frozen=True, slots=True)
class FinishedStep:
    """A finished step.

    Attributes:
        options: What it was given, without passwords.
        result: What it printed.
        seconds: Duration of its last attempt.
    """

    options: Options
    result: Result
    seconds: float


@dataclass(slots=True)
class State:
    """The content of `rounds.json`.

    Attributes:
        folder: The run's folder.
        now: The step under way or next, such as "2/sft"; "" if there is none.
        port: Where the student is served; 0 until it is chosen. It never changes, because the
            address is part of an explored run and of the journal's keys.
        tasks: Ids of "train" and "held_out", with which the run began.
        done: Finished steps by name, in the order in which they finished.
        method: What its rounds do; `settings.Method`.
    """

    folder: Path
    now: str = ""
    port: int = 0
    tasks: Mapping[str, list[str]] = field(default_factory=dict)
    done: dict[str, FinishedStep] = field(default_factory=dict)
    method: str = "teacher"

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the state of the run in `folder`; an empty one if there is none yet.

        Raises:
            UsageError: The file is not a state of this version.
        """
        file = folder / FILE
        if not file.exists():
            return cls(folder)
        try:
            content = json.loads(read_text(file))
            if content["version"] != VERSION:
                raise UsageError(
                    f"{file} was written by another version of Treegraft: go on with that version, "
                    "or choose another --output"
                )
            done = {name: FinishedStep(**value) for name, value in content["done"].items()}
            method = content.get("method", "teacher")  # the only one that there was
            return cls(folder, content["now"], content["port"], content["tasks"], done, method)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{file} is not a state of `engine rounds`: {error}") from error

    def claim(self, port: int, tasks: Mapping[str, list[str]], method: str = "teacher") -> None:
        """Make a new folder the run's, or check that it has the same tasks and method.

        Raises:
            UsageError: It has others.
        """
        if not self.tasks:
            self.port, self.tasks, self.method = port, tasks, method
            self._save()
        if method != self.method:
            raise UsageError(
                f"{self.folder} was begun with the method {self.method}, and not {method}: choose "
                "another --output"
            )
        for side, ids in tasks.items():
            if ids != self.tasks[side]:
                raise UsageError(
                    f"{self.folder} was begun with other {side} tasks ({len(self.tasks[side])} "
                    f"then, {len(ids)} now): restore [tasks] and its data, or choose another "
                    "--output"
                )

    def begin(self, name: str) -> None:
        """Record that step `name` is under way; "" if nothing is left."""
        if self.now != name:
            self.now = name
            self._save()

    def finish(self, name: str, options: Options, result: Result, seconds: float) -> None:
        """Record the result of step `name`."""
        self.done[name] = FinishedStep(self._public(options), result, round(seconds, 1))
        self._save()

    def earlier(self, name: str, options: Options) -> Result | None:
        """Return the result of step `name`; None if it is not finished.

        Raises:
            UsageError: It had other options: a file with other settings is another run.
        """
        done = self.done.get(name)
        if done is None:
            return None
        if changed := difference(done.options, self._public(options)):
            raise UsageError(
                f"{self.folder} was made with other settings ({name}: {changed}): restore them, or "
                "choose another --output"
            )
        return done.result

    def _public(self, options: Options) -> Options:
        """Return `options` as they are recorded: without passwords, and with OUT for the folder."""
        folder = str(self.folder)

        def public(value: Any) -> Any:
            if isinstance(value, str):
                return str(without_password(value)).replace(folder, "OUT")
            if isinstance(value, Mapping):
                return {key: public(each) for key, each in value.items()}
            return [public(each) for each in value] if isinstance(value, list) else value

        return {name: public(value) for name, value in options.items()}

    def _save(self) -> None:
        done = {name: asdict(step) for name, step in self.done.items()}
        content = {"version": VERSION, "now": self.now, "port": self.port, "method": self.method}
        content |= {"tasks": self.tasks, "done": done}
        write_text(self.folder / FILE, json.dumps(content, indent=1) + "\n")


def difference(before: Options, now: Options) -> str:
    """Return how the options of a step changed, in words; "" if they did not."""
    return ", ".join(
        f"{name} was {before.get(name, 'not given')} and is {now.get(name, 'not given')}"
        for name in dict.fromkeys((*before, *now))
        if before.get(name, "not given") != now.get(name, "not given")
    )

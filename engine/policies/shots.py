"""Solved examples that stand before a task: 0-, 1- and few-shot prompts.

The draw is fixed per task: the same seed and pool give the same examples in every request, when a
run is resumed, and in rows.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from environments.tools import Tool
from environments.types import Task, Trajectory

_SHORTEST = 4  # words: shorter secrets occur in innocent texts (engine.runs.fingerprints)
_WORD = re.compile(r"\w+|[^\w\s]")

Shows = Callable[[str], bool]
"""Whether a text holds the secret of a task."""


@dataclass(frozen=True, slots=True)
class Shots:
    """Examples to draw from.

    Attributes:
        number: examples per task; fewer where not as many fit.
        pool: one solved trajectory of each task.
        seed: of the draw.
    """

    number: int = 0
    pool: tuple[Trajectory, ...] = ()
    seed: int = 0

    def of(self, task: Task, tools: Sequence[Tool], shows: Shows) -> tuple[Trajectory, ...]:
        """Return the examples of `task`.

        None is of the task itself, of a task with the same prompt or of the same group; each calls
        only tools that the task has, and none holds its secret.

        Args:
            task: the task that is asked.
            tools: those of the task.
            shows: whether a text holds the secret of the task.
        """
        names = {tool.name for tool in tools}
        drawn: list[Trajectory] = []
        if not self.number:
            return ()
        rng = Random(f"{self.seed}|{task.id}|shots")
        for place in rng.sample(range(len(self.pool)), len(self.pool)):
            one = self.pool[place]
            called = {step.action.tool for step in one.steps}
            if _apart(one.task, task) and called <= names and not shows(text_of(one)):
                drawn.append(one)
            if len(drawn) == self.number:
                break
        return tuple(drawn)

    @property
    def digest(self) -> str:
        """What tells this pool from another one; "" for an empty one."""
        if not self.pool:
            return ""
        texts = [[one.task.id, one.task.group, text_of(one)] for one in self.pool]
        return f"sha256 {hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]}"


NO_SHOTS = Shots()


def text_of(one: Trajectory) -> str:
    """Return all that an example shows."""
    steps = (f"{s.action.thought}\n{_said(s.action.arguments)}\n{s.observation}" for s in one.steps)
    return "\n".join([one.task.prompt, *steps])


def shows_secret(task: Task) -> Shows:
    """Return whether a text holds a text of four words or more in the secret of `task`.

    In rows, which have no secrets, `engine.runs.fingerprints` finds the same.
    """
    secrets = [words for text in _texts(task.secret) if len(words := _words(text)) >= _SHORTEST]

    def shows(text: str) -> bool:
        held = f" {' '.join(_words(text))} "
        return any(f" {' '.join(words)} " in held for words in secrets)

    return shows


def _apart(one: Task, other: Task) -> bool:
    """Return whether two tasks share nothing that one could be solved by."""
    same_group = bool(other.group) and one.group == other.group
    return one.id != other.id and one.prompt.strip() != other.prompt.strip() and not same_group


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _said(value: Any) -> str:
    return "\n".join(_texts(value))


def _texts(value: Any) -> list[str]:
    """Return every text among the values of `value`, at any depth of mappings and lists."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value
    return [
        text
        for each in (inner if isinstance(value, Mapping | list | tuple) else ())
        for text in _texts(each)
    ]

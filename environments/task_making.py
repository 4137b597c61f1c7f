"""How a world makes new tasks: what `engine make tasks` needs, all of it optional.

A world names a subclass of `TaskMaker` in its attribute `maker`. By rules it makes tasks with
`by_rules`, without a model. For tasks that a model writes, it shows a `scene`, says in `form` what
to write, and makes a task of it with `written`: there an answer becomes the secret of a task in the
world's own form.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from environments.base import ToolEnv
from environments.errors import DataError
from environments.load_class import load_class
from environments.types import Task

TRIVIAL, AMBIGUOUS, UNSOLVABLE = "trivial", "ambiguous", "unsolvable"


class NotATask(DataError):
    """What a model wrote makes no task of this world."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a task is not good.

    Attributes:
        reason: "trivial", "ambiguous" or "unsolvable".
        why: the same in words.
    """

    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A part of the world that a task is to be about.

    Attributes:
        text: shows it to the model that writes the task.
        group: the task's group, "" for one of its own.
        split: the task's split.
        details: what `TaskMaker.written` needs besides.
    """

    text: str
    group: str = ""
    split: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


class TaskMaker:
    """Makes tasks of one world.

    The tasks of the data that `env` was made with (its `tasks`, all of one split) say what new ones
    may be made of: the databases, products and entities of that split, never those of another.
    Their ids are given later.

    Args:
        env: The world.

    Attributes:
        form: What a model writes for a task: a JSON object, described to it; "" if none can.
    """

    form = ""

    def __init__(self, env: ToolEnv) -> None:
        self.env = env

    @property
    def has_rules(self) -> bool:
        """Whether `by_rules` is defined."""
        return type(self).by_rules is not TaskMaker.by_rules

    def by_rules(self, seed: int) -> Iterator[Task]:
        """Yield tasks made by rules, without end or until there are no more.

        The same seed yields the same tasks. They are checked afterwards: see `doubt`.
        """
        raise NotImplementedError

    def scene(self, random: Random) -> Scene:
        """Return a part of the world, drawn with `random`, for a model to write a task about."""
        raise NotImplementedError

    def written(self, scene: Scene, fields: Mapping[str, Any]) -> Task:
        """Return the task of a JSON object that a model wrote about `scene`, as `form` says.

        Raises:
            NotATask: It makes none; the message says why.
        """
        raise NotImplementedError

    def example(self, task: Task) -> Mapping[str, Any] | None:
        """Return what a model would have written for a task of the data, to show it the form.

        None, the default: the task is no example.
        """
        return None

    def question(self, task: Task) -> str:
        """Return the part of a prompt that no other task should be alike to."""
        return task.prompt

    def answers(self, task: Task) -> Sequence[str]:
        """Return the answer as texts; a prompt that holds all of them leaks it."""
        return []

    def doubt(self, task: Task) -> Doubt | None:
        """Return why a task whose solution works is bad nevertheless; None if it is good.

        For what only this world can tell: a condition that changes nothing, a tie, another product
        that earns as much.
        """
        return None


def maker_of(env: ToolEnv) -> TaskMaker | None:
    """Return what makes tasks of `env`, None if it does not say.

    Raises:
        UnknownEnvironment: It names no class.
    """
    named = env.maker
    if isinstance(named, str):
        if not named:
            return None
        module, _, attribute = named.rpartition(":")
        named = load_class(named, module, attribute)
    made: TaskMaker = named(env)
    return made


def text_field(fields: Mapping[str, Any], name: str) -> str:
    """Return a field of what a model wrote that must hold text; raise `NotATask` otherwise."""
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip():
        raise NotATask(f"field {name!r} must be text, not {value!r:.80}")
    return value.strip()


def text_list(fields: Mapping[str, Any], name: str, *, needed: bool = False) -> list[str]:
    """Return a field that must hold a list of texts; raise `NotATask` otherwise."""
    value = fields.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise NotATask(f"field {name!r} must be a list of texts")
    if needed and not value:
        raise NotATask(f"field {name!r} is empty or missing")
    return value

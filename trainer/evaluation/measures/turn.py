"""One turn of a reference: what a student is asked, and which replies are accepted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.templates.base import Message, Template
from environments.tools import Tool
from environments.types import Action

CALL = frozenset({"planning", "tool_use", "reflection", "conclusion"})
"""The parts that the reply at a turn is measured by, unless the turn says which."""

Reader = Callable[[Message], Action]
"""From a reply to what it says; never raises."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One assistant turn of a reference.

    Attributes:
        task: Id of the task.
        messages: What comes before the turn, for the request.
        tools: Tools of the request.
        template: Parses the reply.
        accepted: Correct actions; an answer in words is a call of `WORDS`.
        before: Action of the turn before, if any.
        after_mistake: Whether that action was a mistake (an error or a repeat); None if unknown.
        last: Whether the turn ends the trajectory.
        callable: The world's tools, to read the reply with; () if they are not known.
        parts: By which parts of `kagentbench.WEIGHTS` the reply is measured, where they apply.
        weight: What the turn counts in means.
        reader: Reads the reply in place of the template.
    """

    task: str
    messages: list[Message]
    tools: list[dict[str, Any]]
    template: Template
    accepted: tuple[Action, ...]
    before: Action | None
    after_mistake: bool | None
    last: bool
    callable: tuple[Tool, ...] = ()
    parts: frozenset[str] = CALL
    weight: float = 1.0
    reader: Reader | None = None

    @property
    def is_call(self) -> bool:
        """Whether the reply is to be a call, and not an answer in words."""
        return not any(action.tool == WORDS for action in self.accepted)

    def read(self, reply: Message) -> Action:
        """Return what a reply says. Never raises."""
        if self.reader is not None:
            return self.reader(reply)
        return self.template.parse(reply, self.callable)


WORDS = "(words)"
"""Stands for a tool where an answer in words is expected; no tool is called so."""


def in_words(text: str) -> Action:
    """Return an answer in words as an action."""
    return Action(WORDS, {"text": text})

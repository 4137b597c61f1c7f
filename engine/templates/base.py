"""The template contract: a pair of functions between paths and messages.

The same renderer serves exploring, exporting and evaluating, so that a student is trained on what
it will meet. Messages are plain dicts in OpenAI's wire format.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from environments.tools import Tool
from environments.types import Action, Step, Task
from treegraft.errors import TreegraftError

Message = dict[str, Any]


class TemplateError(TreegraftError):
    """There is no such template or dialect, or a user's file does not make one."""


@dataclass(frozen=True, slots=True)
class World:
    """What a policy is told of an environment: its rules and its tools."""

    instructions: str
    tools: tuple[Tool, ...]


class Template(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings at which generation stops, for the request's `stop`."""

    def render(self, world: World, task: Task, path: Sequence[Step]) -> list[Message]:
        """The conversation so far: system, task, then assistant and observation in turn.

        `parse` of an assistant message rendered here gives the step's action again.
        """

    def tools(self, world: World) -> list[dict[str, Any]]:
        """For the request's `tools`; empty where the tools stand in the system message."""

    def parse(self, message: Message) -> Action:
        """The action in a reply; a malformed action where there is none. Never raises."""

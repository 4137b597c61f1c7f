"""The template contract: functions from a path to messages, and from a reply to an action.

Exploring, exporting and evaluating share one renderer, so a student is trained on what it will
meet. Messages are plain dicts in OpenAI's format.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from engine.templates.context import NOTHING, Context
from environments.tools import Tool
from environments.types import Action, Step, Task
from treegraft.errors import TreegraftError

if TYPE_CHECKING:
    from engine.templates.tool_noise.noise import ToolNoise
    from environments import ToolEnv

Message = dict[str, Any]


class TemplateError(TreegraftError):
    """Unknown template or dialect, or a user's file that is not a valid template."""


@dataclass(frozen=True, slots=True)
class World:
    """Instructions and tools of an environment, as shown to the policy.

    Attributes:
        noise: what is changed in them for each task (`tool_noise.under_noise`); None for nothing.
    """

    instructions: str
    tools: tuple[Tool, ...]
    noise: "ToolNoise | None" = None

    def of(self, task: Task) -> "World":
        """Return what is shown on `task`, which may have instructions and tools of its own."""
        told, tools = task.instructions, task.tools
        shown = self if told is None else replace(self, instructions=told)
        return shown if tools is None else replace(shown, tools=tools)


def world_of(env: "ToolEnv") -> World:
    """Return the instructions of `env`, and the tools of tasks that have none of their own."""
    return World(env.instructions, env.tools)


class Template(Protocol):
    """Renders a task and a path as messages, and parses replies into actions."""

    @property
    def name(self) -> str:
        """The name on the command line."""

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings at which generation stops, for the request's `stop`."""

    def render(
        self, world: World, task: Task, path: Sequence[Step], context: Context = NOTHING
    ) -> list[Message]:
        """Return the conversation so far: system, task, then assistant and observation in turn.

        The tools are those of `world.of(task)`. The `context` stands before the path, in the
        template's own form (`context.opening`); a longer path only adds messages at the end.

        `parse` of an assistant message rendered here returns the step's action, for the same tools.
        In a template with two phases, an answer is two such messages: see `conclusion`.
        """

    def request(
        self, world: World, task: Task, path: Sequence[Step], context: Context = NOTHING
    ) -> list[Message]:
        """Return what is sent to the model for its next reply.

        It is the conversation so far or, for a template with one prompt per call, one message that
        holds all that was done.
        """

    def conclusion(
        self,
        world: World,
        task: Task,
        path: Sequence[Step],
        action: Action,
        context: Context = NOTHING,
    ) -> list[Message]:
        """Return what is sent next, if a reply completed the task without saying the answer.

        It is empty for a template with one phase, and for every other reply.
        """

    def concluded(self, action: Action, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """Return `action` with the answer that is in the reply to `conclusion`. Never raises."""

    def tools(self, world: World) -> list[dict[str, Any]]:
        """Return `world.tools` for the request; empty if the system message describes them."""

    def parse(self, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """Return the action in a reply, or a malformed action if there is none. Never raises.

        Args:
            message: the reply.
            tools: those of the task. Without them, names are not mended, and arguments without
                names cannot be read.
        """

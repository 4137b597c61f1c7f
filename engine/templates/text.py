"""The renderer of all templates whose calls are text.

The system message describes the tools, in a dialect. An observation is a user message, which every
chat template supports. A malformed reply is rendered as the model wrote it, an empty one as a
placeholder.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.templates.base import Message, World
from engine.templates.context import NOTHING, Context, opening
from engine.templates.dialects import Dialect
from engine.templates.reading.reader import spoken
from environments.tools import SAY, Tool, is_say
from environments.types import Action, Step, Task


def system_with(form: str) -> Callable[[str, str], str]:
    """Return `Text.system`: the instructions, then `form` with the described tools in {tools}."""
    return lambda instructions, tools: f"{instructions}\n\n{form.format(tools=tools)}"


@dataclass(frozen=True, slots=True)
class Text:
    """A `Template` made of functions.

    Attributes:
        system: returns the system message for instructions and described tools.
        dialect: describes the tools.
        write: returns a call as the assistant's message.
        read: the inverse of `write`, for the world's tools; never raises.
        observed: returns an observation as the user's message.
        asked: returns a task's prompt as the user's message.
    """

    name: str
    system: Callable[[str, str], str]
    dialect: Dialect
    write: Callable[[Action], str]
    read: Callable[[str, Sequence[Tool]], Action]
    observed: Callable[[str], str]
    asked: Callable[[str], str] = str
    stop: tuple[str, ...] = ()

    def render(
        self, world: World, task: Task, path: Sequence[Step], context: Context = NOTHING
    ) -> list[Message]:
        """See `Template.render`."""
        tools = world.of(task).tools
        system = self.system(world.instructions, self.dialect(tools))
        turn = partial(self._turn, speaks=any(map(is_say, tools)))
        messages: list[Message] = [
            {"role": "system", "content": system.strip()},
            *opening(context, task, self.asked, turn),
        ]
        for step in path:
            messages += turn(step)
        return messages

    def _turn(self, step: Step, _: str = "", *, speaks: bool = False) -> list[Message]:
        action = step.action
        written = self.write(action) if action.tool else spoken(action)
        answer = self.observed(step.observation)
        if action.tool == SAY.name and speaks:  # a user's message, and no tool's result
            answer = step.observation
        return [{"role": "assistant", "content": written}, {"role": "user", "content": answer}]

    def tools(self, world: World) -> list[dict[str, Any]]:
        """See `Template.tools`."""
        return []

    def parse(self, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """See `Template.parse`."""
        return self.read(message.get("content") or "", tools)

"""Templates whose calls are text: one renderer, given how a call is written and read.

The tools stand in the system message, in a dialect; an observation comes back as the user's
message, which every chat template knows. A malformed reply is shown as it was written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.templates.base import Message, World
from engine.templates.dialects import Dialect
from environments.types import Action, Step, Task


@dataclass(frozen=True, slots=True)
class Text:
    """A template of text.

    system: from instructions and described tools to the system message.
    dialect: how the tools are described.
    write: a call as the assistant's text.   read: its inverse; never raises.
    observed: an observation as the user's text.   asked: a task's prompt as the user's text.
    stop: see `Template`.
    """

    name: str
    system: Callable[[str, str], str]
    dialect: Dialect
    write: Callable[[Action], str]
    read: Callable[[str], Action]
    observed: Callable[[str], str]
    asked: Callable[[str], str] = str
    stop: tuple[str, ...] = ()

    def render(self, world: World, task: Task, path: Sequence[Step]) -> list[Message]:
        told = self.system(world.instructions, self.dialect(world.tools)).strip()
        messages: list[Message] = [
            {"role": "system", "content": told},
            {"role": "user", "content": self.asked(task.prompt)},
        ]
        for step in path:
            action = step.action
            written = self.write(action) if action.tool else action.thought
            messages.append({"role": "assistant", "content": written})
            messages.append({"role": "user", "content": self.observed(step.observation)})
        return messages

    def tools(self, world: World) -> list[dict[str, Any]]:
        return []

    def parse(self, message: Message) -> Action:
        return self.read(message.get("content") or "")

"""The renderer of all templates whose calls are text.

The prompt is made of six parts (`parts`), one of which describes the tools in a dialect. An
observation is a user message, which every chat template supports. A malformed reply is rendered as
the model wrote it, an empty one as a placeholder.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.templates import answers, phases
from engine.templates.base import Message, World
from engine.templates.dialects import Dialect
from engine.templates.parts import Memory, Parts
from engine.templates.reading.reader import malformed, spoken
from environments.tools import SAY, Tool, is_say
from environments.types import Action, Step, Task

NOW = "now"
"""The tag of a task that says its current time. No clock is read: each request would be a new one,
so that no journal could find its reply, and rows would differ from what was explored."""


@dataclass(frozen=True, slots=True)
class Text:
    """A `Template` made of functions.

    Attributes:
        parts: the six parts of the prompt.
        dialect: describes the tools.
        write: returns a call as the assistant's message, for the world's tools.
        read: the inverse of `write`, for the world's tools; never raises.
        observed: returns an observation as the user's message.
        offered: returns the tools that are described, for those of the world.
        memory: whether a request is the growing chat, or one message with all that was done.
        conclude: the parts of a second prompt, which asks for the answer in words once the first
            has completed the task; None for a template with one phase.
    """

    name: str
    parts: Parts
    dialect: Dialect
    write: Callable[[Action, Sequence[Tool]], str]
    read: Callable[[str, Sequence[Tool]], Action]
    observed: Callable[[str], str]
    offered: Callable[[Sequence[Tool]], Sequence[Tool]] = tuple
    memory: Memory = "chat"
    conclude: Parts | None = None
    stop: tuple[str, ...] = ()

    def render(self, world: World, task: Task, path: Sequence[Step]) -> list[Message]:
        """See `Template.render`."""
        values = self._values(world, task)
        messages = [
            _message("system", self.parts.system(values)),
            _message("user", self.parts.user(values)),
        ]
        for step in path:
            messages += self._turn(world, task, step)
        return messages

    def request(self, world: World, task: Task, path: Sequence[Step]) -> list[Message]:
        """See `Template.request`."""
        if self.memory == "chat":
            return self.render(world, task, path)
        return [_message("user", self.parts.prompt(self._values(world, task, path)))]

    def conclusion(
        self, world: World, task: Task, path: Sequence[Step], action: Action
    ) -> list[Message]:
        """See `Template.conclusion`."""
        tools = world.of(task).tools
        if self.conclude is None or not phases.completes(action, tools):
            return []
        if self.memory == "prompt":
            return [_message("user", self.conclude.prompt(self._values(world, task, path)))]
        completed = _message("assistant", self.write(phases.completed(action), tools))
        return [*self.render(world, task, path), completed, self._ask_for_words(world, task)]

    def concluded(self, action: Action, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """See `Template.concluded`."""
        said = phases.words_of(message.get("content") or "")
        found = answers.read_words(said, tools)
        if found is None:
            return malformed(said, "the answer is empty; write it in words")
        return replace(found, thought=action.thought)

    def tools(self, world: World) -> list[dict[str, Any]]:
        """See `Template.tools`."""
        return []

    def parse(self, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """See `Template.parse`."""
        return self.read(message.get("content") or "", self._callable(tools))

    def _callable(self, tools: Sequence[Tool]) -> Sequence[Tool]:
        """Return the tools that a reply may name: the world's and, for two phases, one more."""
        two = self.conclude is not None and answers.answering(tools) is not None
        return (*tools, phases.TASK_COMPLETE) if two else tools

    def _turn(self, world: World, task: Task, step: Step) -> Iterator[Message]:
        """Yield the messages of a step: the replies, and what follows each of them."""
        action, tools = step.action, world.of(task).tools
        said = phases.written(action, tools) if self.conclude else ""
        if said:
            yield _message("assistant", self.write(phases.completed(action), tools))
            yield self._ask_for_words(world, task)
            yield _message("assistant", said)
        else:
            written = self.write(action, tools) if action.tool else spoken(action)
            yield _message("assistant", written)
        # What answers a `say` is a user's message, and no tool's result.
        to_user = action.tool == SAY.name and any(map(is_say, tools))
        yield _message("user", step.observation if to_user else self.observed(step.observation))

    def _ask_for_words(self, world: World, task: Task) -> Message:
        assert self.conclude is not None
        values = self._values(world, task)
        asked = (self.conclude.instruction(values), self.conclude.format(values))
        return _message("user", "\n\n".join(filter(str.strip, asked)))

    def _values(self, world: World, task: Task, path: Sequence[Step] = ()) -> dict[str, Any]:
        """Return what the parts may show; see `parts.VALUES`."""
        tools = world.of(task).tools
        shown = self.offered(tools)
        turns = (message["content"] for step in path for message in self._turn(world, task, step))
        return {
            "instructions": world.instructions,
            "tools": self.dialect(shown),
            "tool_names": ", ".join(tool.name for tool in shown),
            "answer": answers.described(tools),
            "prompt": task.prompt,
            "tasks": [_completed(number, step) for number, step in enumerate(path, 1)],
            "history": "\n".join(turns),
            "knowledge": "",
            "now": task.tags.get(NOW, ""),
        }


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _completed(number: int, step: Step) -> dict[str, Any]:
    action = step.action
    return {
        "task_id": number,
        "thought": action.thought,
        "tool": action.tool,
        "arguments": dict(action.arguments),
        "result": step.observation,
    }

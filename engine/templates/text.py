"""The renderer of all templates whose calls are text.

The prompt is made of six parts (`parts`), one of which describes the tools in a dialect. An
observation is a user message, which every chat template supports. A malformed reply is rendered as
the model wrote it, an empty one as a placeholder.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from engine.templates import answers, phases
from engine.templates.base import Message, World
from engine.templates.context import NOTHING, Context, as_text, opening
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

    def render(
        self, world: World, task: Task, path: Sequence[Step], context: Context = NOTHING
    ) -> list[Message]:
        """See `Template.render`."""
        values = self._values(world, task)
        turn = partial(self._turn, world, task)
        messages = [
            _message("system", self.parts.system(values)),
            *opening(context, task, self._asked(values), turn),
        ]
        for step in path:
            messages += turn(step)
        return messages

    def request(
        self, world: World, task: Task, path: Sequence[Step], context: Context = NOTHING
    ) -> list[Message]:
        """See `Template.request`."""
        if self.memory == "chat":
            return self.render(world, task, path, context)
        return [_message("user", self.parts.prompt(self._values(world, task, path, context)))]

    def conclusion(
        self,
        world: World,
        task: Task,
        path: Sequence[Step],
        action: Action,
        context: Context = NOTHING,
    ) -> list[Message]:
        """See `Template.conclusion`."""
        tools = world.of(task).tools
        if self.conclude is None or not phases.completes(action, tools):
            return []
        if self.memory == "prompt":
            values = self._values(world, task, path, context)
            return [_message("user", self.conclude.prompt(values))]
        completed = _message("assistant", self.write(phases.completed(action), tools))
        asked = self._ask_for_words(world, task)
        return [*self.render(world, task, path, context), completed, asked]

    def concluded(self, action: Action, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """See `Template.concluded`."""
        said = phases.words_of(message.get("content") or "")
        found = answers.read_words(said, tools)
        if found is None:
            return malformed(said, "the answer is empty; write it in words")
        return replace(found, thought=action.thought)

    def profile(self, world: World, task: Task) -> str:
        """Return who the agent is, in the prompt's words."""
        return self.parts.profile(self._values(world, task)).strip()

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

    def _turn(self, world: World, task: Task, step: Step, _: str = "") -> list[Message]:
        """Return the messages of a step: the replies, and what follows each of them."""
        action, tools = step.action, world.of(task).tools
        said = phases.written(action, tools) if self.conclude else ""
        if said:
            replies = [
                _message("assistant", self.write(phases.completed(action), tools)),
                self._ask_for_words(world, task),
                _message("assistant", said),
            ]
        else:
            written = self.write(action, tools) if action.tool else spoken(action)
            replies = [_message("assistant", written)]
        # What answers a `say` is a user's message, and no tool's result.
        to_user = action.tool == SAY.name and any(map(is_say, tools))
        answer = step.observation if to_user else self.observed(step.observation)
        return [*replies, _message("user", answer)]

    def _asked(self, values: Mapping[str, Any]) -> Callable[[str], str]:
        """Return the function from a task's prompt to the user's message of a growing chat."""
        return lambda prompt: self.parts.user({**values, "prompt": prompt})

    def _ask_for_words(self, world: World, task: Task) -> Message:
        assert self.conclude is not None
        values = self._values(world, task)
        asked = (self.conclude.instruction(values), self.conclude.format(values))
        return _message("user", "\n\n".join(filter(str.strip, asked)))

    def _values(
        self, world: World, task: Task, path: Sequence[Step] = (), context: Context = NOTHING
    ) -> dict[str, Any]:
        """Return what the parts may show; see `parts.VALUES`."""
        told = world.of(task)
        tools = told.tools
        shown, turn = self.offered(tools), partial(self._turn, world, task)
        values = {
            "instructions": told.instructions,
            "tools": self.dialect(shown),
            "tool_names": ", ".join(tool.name for tool in shown),
            "answer": answers.described(tools),
            "prompt": task.prompt,
            "tasks": [_completed(number, step) for number, step in enumerate(path, 1)],
            "history": "\n".join(m["content"] for step in path for m in turn(step)),
            "knowledge": "",
            "now": task.tags.get(NOW, ""),
        }
        if context != NOTHING:
            values["knowledge"] = as_text(opening(context, task, self._asked(values), turn))
        return values


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

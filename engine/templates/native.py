"""OpenAI's tool calls: one call per message, answered by a message of role "tool"."""

from collections.abc import Sequence
from typing import Any

from engine.templates.base import Message, World
from engine.templates.openai_format import arguments_of, compact, function, object_of
from environments.types import Action, Step, Task


class Native:
    """The endpoint's own tool calling; needs a server (and a chat template) that supports it."""

    name = "native"
    stop: tuple[str, ...] = ()

    def render(self, world: World, task: Task, path: Sequence[Step]) -> list[Message]:
        """See `Template.render`."""
        messages: list[Message] = [
            {"role": "system", "content": world.instructions},
            {"role": "user", "content": task.prompt},
        ]
        for number, step in enumerate(path, 1):
            messages += _turn(step, f"call_{number}")
        return messages

    def tools(self, world: World) -> list[dict[str, Any]]:
        """See `Template.tools`."""
        return [function(tool) for tool in world.tools]

    def parse(self, message: Message) -> Action:
        """See `Template.parse`."""
        text, calls = message.get("content") or "", message.get("tool_calls") or []
        if not calls:
            return Action.malformed(text, "no tool was called; call exactly one tool")
        call = calls[0].get("function") or {}
        name, raw = str(call.get("name") or ""), call.get("arguments") or "{}"
        arguments, error = arguments_of(raw) if isinstance(raw, str) else object_of(raw)
        if error or not name:
            reply = f"{text}\n{name}({raw})".strip()
            return Action.malformed(reply, error or "the tool call names no tool")
        return Action(name, arguments, text)


def _turn(step: Step, call_id: str) -> list[Message]:
    """Render a step. A malformed reply has no call to answer, so its error is a user message."""
    action = step.action
    if not action.tool:
        return [
            {"role": "assistant", "content": action.thought},
            {"role": "user", "content": step.observation},
        ]
    call = {"name": action.tool, "arguments": compact(action.arguments)}
    return [
        {
            "role": "assistant",
            "content": action.thought,
            "tool_calls": [{"id": call_id, "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": call_id, "content": step.observation},
    ]

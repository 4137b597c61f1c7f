"""OpenAI's tool calls: one call a message, answered by a message of role "tool"."""

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
        messages: list[Message] = [
            {"role": "system", "content": world.instructions},
            {"role": "user", "content": task.prompt},
        ]
        for number, step in enumerate(path, 1):
            messages += _turn(step, f"call_{number}")
        return messages

    def tools(self, world: World) -> list[dict[str, Any]]:
        return [function(tool) for tool in world.tools]

    def parse(self, message: Message) -> Action:
        text, calls = message.get("content") or "", message.get("tool_calls") or []
        if not calls:
            return Action.malformed(text, "no tool was called; call exactly one tool")
        called = calls[0].get("function") or {}
        name, given = str(called.get("name") or ""), called.get("arguments") or "{}"
        arguments, error = arguments_of(given) if isinstance(given, str) else object_of(given)
        if error or not name:
            reply = f"{text}\n{name}({given})".strip()
            return Action.malformed(reply, error or "the tool call names no tool")
        return Action(name, arguments, text)


def _turn(step: Step, call_id: str) -> list[Message]:
    """A malformed reply has no call to answer: it is shown as text, its error as the user's."""
    action = step.action
    if not action.tool:
        return [
            {"role": "assistant", "content": action.thought},
            {"role": "user", "content": step.observation},
        ]
    called = {"name": action.tool, "arguments": compact(action.arguments)}
    return [
        {
            "role": "assistant",
            "content": action.thought,
            "tool_calls": [{"id": call_id, "type": "function", "function": called}],
        },
        {"role": "tool", "tool_call_id": call_id, "content": step.observation},
    ]

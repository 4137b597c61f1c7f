"""OpenAI's tool calls: one call per message, answered by a message of role "tool"."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from engine.templates.base import Message, World
from engine.templates.context import NOTHING, Context, opening
from engine.templates.openai_format import compact, function
from engine.templates.reading.arguments import Unreadable
from engine.templates.reading.json_calls import Call
from engine.templates.reading.labels import unquoted
from engine.templates.reading.reader import (
    ANYWHERE,
    Reader,
    action_of,
    is_plain,
    malformed,
    spoken,
)
from engine.templates.reading.reasoning import part
from engine.templates.recorded import recorded
from environments.tools import SAY, Tool, is_say
from environments.types import Action, Step, Task


class Native:
    """The endpoint's own tool calling; needs a server (and a chat template) that supports it."""

    name = "native"
    stop: tuple[str, ...] = ()

    def render(
        self, world: World, task: Task, path: Sequence[Step], context: Context = NOTHING
    ) -> list[Message]:
        """See `Template.render`."""
        shown = world.of(task)
        turn = partial(_turn, tools=shown.tools)
        if task.opening is not None and context == NOTHING:
            messages: list[Message] = [dict(message) for message in task.opening]
        else:
            messages = [
                {"role": "system", "content": shown.instructions},
                *opening(context, task, str, turn),
            ]
        for number, step in enumerate(path, 1):
            messages += turn(step, f"call_{number}")
        return messages

    def request(
        self, world: World, task: Task, path: Sequence[Step], context: Context = NOTHING
    ) -> list[Message]:
        """See `Template.request`."""
        return self.render(world, task, path, context)

    def conclusion(
        self,
        world: World,
        task: Task,
        path: Sequence[Step],
        action: Action,
        context: Context = NOTHING,
    ) -> list[Message]:
        """See `Template.conclusion`."""
        return []

    def concluded(self, action: Action, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """See `Template.concluded`."""
        return action

    def tools(self, world: World) -> list[dict[str, Any]]:
        """See `Template.tools`."""
        return [function(tool) for tool in world.tools if not is_say(tool)]

    def parse(self, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """See `Template.parse`. Without `tool_calls`, a call is looked for in the content."""
        text, calls = message.get("content") or "", message.get("tool_calls") or []
        if not calls:
            found = _TEXT(text, tools)
            # A thought before what is said is written so: nothing was mended.
            return replace(found, reply={}) if _said(found, tools) == text else found
        call = calls[0].get("function") or {}
        name, raw = str(call.get("name") or ""), call.get("arguments")
        thought, words = _thought(text)
        words += ["calls"] if len(calls) > 1 else []
        try:
            return action_of(Call(name, "{}" if raw in (None, "") else raw, thought), tools, words)
        except Unreadable as error:
            return malformed(f"{text}\n{name}({raw})".strip(), str(error))


_TEXT = Reader(
    lambda _: None,
    ANYWHERE,
    None,
    lambda _: "no tool was called; call exactly one tool",
    plain=True,
)


def _thought(content: str) -> tuple[str, list[str]]:
    """Return the thought that `content` holds, and words for what was mended."""
    thought, quoted = unquoted(content)
    if quoted or is_plain(content):
        return thought, []
    text = content.replace("\r\n", "\n")
    words = ["crlf"] if text != content else []
    parted = part(text)
    if not parted.marked:
        return text, words
    both = (parted.reasoning.strip(), parted.rest.strip())
    return "\n".join(filter(None, both)), [*words, "reasoning"]


def _content(thought: str) -> str:
    """Return a thought as content: as it is or, if it would be misread, as a JSON string."""
    return (
        thought if _thought(thought) == (thought, []) else json.dumps(thought, ensure_ascii=False)
    )


def _said(action: Action, tools: Sequence[Tool]) -> str:
    """Return a `say` as a reply without a call; "" for another action, or if it were misread."""
    text = action.arguments.get("text")
    if action.tool != SAY.name or not isinstance(text, str):
        return ""
    content = f"<think>\n{action.thought}\n</think>\n\n{text}" if action.thought else text
    return content if _TEXT(content, tools) == action else ""


def _turn(step: Step, call_id: str, tools: Sequence[Tool]) -> list[Message]:
    """Render a step.

    A `say` and a malformed reply have no call to answer, so what follows is the user's message. A
    step of an imported conversation is written as it was there.
    """
    if (known := recorded(step)) is not None:
        return known
    action = step.action
    text = _said(action, tools) if action.tool else spoken(action)
    if text:
        return [
            {"role": "assistant", "content": text},
            {"role": "user", "content": step.observation},
        ]
    call = {"name": action.tool, "arguments": compact(action.arguments)}
    return [
        {
            "role": "assistant",
            "content": _content(action.thought),
            "tool_calls": [{"id": call_id, "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": call_id, "content": step.observation},
    ]

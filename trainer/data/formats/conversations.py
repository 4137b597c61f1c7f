"""Conversations: turns of `role` and `content`, or of `from` and `value`, as messages.

This one reader serves OpenAI's messages, old function calls included, ShareGPT, AgentInstruct,
ToolBench and Hermes: they differ in names only. A turn that is missing drops the row; no turn takes
the place of another.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from engine.templates.base import Message
from trainer.data.formats.values import (
    WEIGHTS,
    decoded,
    kind,
    listed,
    optional_text,
    text,
    weight,
)
from trainer.errors import RowError, WrongValue

_ROLES = {
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "model"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function", "tool_response"), "tool"),
    **dict.fromkeys(("function_call", "tool_call"), "call"),
    "system": "system",
    "developer": "developer",
}
"""What a turn may be from. A "call" is what the assistant says where it calls a tool."""
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_READ = {"role", "content", "tool_calls", "function_call", "reasoning_content", *WEIGHTS}
_THOUGHT = re.compile(r"\A<think>(.*)</think>\s*(?=[\[{])", re.DOTALL)


def messages_of(value: Any, column: str) -> list[Message]:
    """Return the messages of a list of turns, which may be written as JSON text.

    Raises:
        RowError: A turn is missing.
        WrongValue: A value has the wrong type.
    """
    if value is None:
        raise RowError(f"{column} is missing")
    reading = _Reading()
    for turn in listed(value, column):
        reading.add(turn)
    return reading.messages


def check_whole(messages: Sequence[Message]) -> None:
    """Require that a conversation is one to train on: nobody's turn is missing.

    Raises:
        RowError: Something is missing; says what.
    """
    spoken = [message for message in messages if message["role"] == "assistant"]
    if not spoken:
        raise RowError("it has no assistant message")
    if messages[-1]["role"] != "assistant":
        raise RowError("it does not end with an assistant message")
    first = next(m["role"] for m in messages if m["role"] not in ("system", "developer"))
    if first != "user":
        raise RowError(f"it begins with a message of role {first}")
    if any(map(_is_empty, spoken)):
        raise RowError("an assistant message is empty")


def role_of(turn: Any) -> str:
    """Return whose turn it is: user, assistant, call, tool, system or developer.

    Raises:
        RowError: The turn is null.
        WrongValue: It is no turn, or from somebody unknown.
    """
    if turn is None:
        raise RowError("a message is null")
    if not isinstance(turn, Mapping):
        raise WrongValue(f"a message must be an object, not {kind(turn)}")
    name = turn.get("role") if turn.get("role") is not None else turn.get("from")
    if name is None and _said(turn) is None:
        raise RowError("a message is null")
    known = _ROLES.get(name) if isinstance(name, str) else None
    if known is None:
        raise WrongValue(f"a message must have a role of {', '.join(_ROLES)}, not {name!r}")
    return known


def called(value: Any, id: str) -> dict[str, Any]:
    """Return a tool call in OpenAI's format; its arguments may be an object or JSON text.

    Raises:
        WrongValue: It is no call.
    """
    function = value.get("function", value) if isinstance(value, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise WrongValue("a tool call must have a function with a name")
    given = function.get("arguments")
    arguments = decoded(given, "a tool call's arguments")
    if not isinstance(arguments, dict | None):
        raise WrongValue(f"a tool call's arguments must be an object, not {kind(arguments)}")
    if arguments is None or not isinstance(given, str):
        given = json.dumps(arguments or {}, ensure_ascii=False)
    known = value.get("id") if isinstance(value.get("id"), str) else id
    return {
        "id": known,
        "type": "function",
        "function": {"name": function["name"], "arguments": given},
    }


class _Reading:
    """The messages so far."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._asked = False  # the last turn is a user's own, not an observation
        self._open: list[dict[str, Any]] = []  # calls that no tool has answered

    def add(self, turn: Any) -> None:
        role = role_of(turn)
        weighs = weight(turn)
        for key in _THOUGHTS:
            optional_text(turn.get(key), key)
        if role in ("assistant", "call"):
            self._speak(turn, role, {} if weighs is None else {"weight": weighs})
        elif role == "tool":
            self._observe(turn)
        else:
            self._hear(turn, role)

    def _hear(self, turn: Mapping[str, Any], role: str) -> None:
        content, _, calls = _content(turn)
        self._calls(turn, calls)
        if content is None:
            if role != "user":
                return  # no system message
            raise RowError("a user message has no content")
        if role == "user" and self._asked:
            raise RowError("two user messages in a row: a reply is missing")
        self._append(turn, {"role": role, "content": content})
        self._asked = role == "user"

    def _observe(self, turn: Mapping[str, Any]) -> None:
        content, _, _ = _content(turn)
        if content is None:
            raise RowError("a tool's message has no content")
        if not self._open and turn.get("role") != "tool":
            # The calls are text, and so are their results. Chat templates know no such role.
            self._append({}, {"role": "user", "content": content})
        else:
            id = self._open.pop(0)["id"] if self._open else None
            self._append(turn, {"role": "tool", "tool_call_id": id, "content": content})
        self._asked = False

    def _speak(self, turn: Mapping[str, Any], role: str, weighs: dict[str, float]) -> None:
        content, thought, calls = _content(turn)
        if role == "call":
            content, calls = _called_in(text(content, "a call"))
        calls = self._calls(turn, calls)
        thought = thought or optional_text(turn.get("reasoning_content"), "reasoning_content")
        message: Message = {"role": "assistant", "content": content or "", **weighs}
        message |= {"reasoning_content": thought} if thought else {}
        message |= {"tool_calls": calls} if calls else {}
        before = self.messages[-1] if self.messages else {}
        if before.get("role") == "assistant" and not before.get("tool_calls"):
            if (role == "call" or turn.get("function_call")) and not content:
                # Its thought came as a message of its own.
                message = self.messages.pop() | message | {"content": before["content"]}
            elif "from" in turn:
                raise RowError("two assistant messages in a row")
        self._append(turn, message)
        self._open, self._asked = list(calls), False

    def _calls(self, turn: Mapping[str, Any], found: list[Any]) -> list[dict[str, Any]]:
        found = found + listed(turn.get("tool_calls"), "tool_calls")
        if turn.get("function_call") is not None:
            found.append(turn["function_call"])
        number = 1 + sum(message["role"] == "assistant" for message in self.messages)
        return [called(one, f"call_{number}{f'_{n}' * (n > 0)}") for n, one in enumerate(found)]

    def _append(self, turn: Mapping[str, Any], message: Message) -> None:
        """Append a message, with what else a turn in OpenAI's format says."""
        more = {} if "from" in turn else turn
        kept = {k: v for k, v in more.items() if k not in _READ and v is not None}
        self.messages.append({k: v for k, v in (message | kept).items() if v is not None})


def _said(turn: Mapping[str, Any]) -> Any:
    return turn["content"] if turn.get("content") is not None else turn.get("value")


def _content(turn: Mapping[str, Any]) -> tuple[str | None, str, list[Any]]:
    """Return the text, the reasoning and the calls in a turn's content."""
    value = _said(turn)
    if value is None or isinstance(value, str):
        return value, "", []
    if not isinstance(value, list):
        raise WrongValue(f"a message's content must be text, not {kind(value)}")
    said: dict[str, list[str]] = {"text": [], "reasoning": [], "tool_call": []}
    for part in value:
        if not isinstance(part, dict):
            raise WrongValue(f"a part of a message's content must be an object, not {kind(part)}")
        name = str(part.get("type")).removeprefix("input_").removeprefix("output_")
        if name not in said:
            raise RowError(f"a message holds a part of type {name}, which is not text")
        said[name].append(text(part.get("text", part.get("value")), "a part of a message"))
    calls = [decoded(call, "a call") for call in said["tool_call"]]
    return "".join(said["text"]), "".join(said["reasoning"]), calls


def _called_in(said: str) -> tuple[str, list[Any]]:
    """Return the thought and the calls of a turn that is nothing but a call."""
    thought = _THOUGHT.match(said)
    calls = decoded(said[thought.end() :] if thought else said, "a function_call")
    calls = calls if isinstance(calls, list) else [calls]
    return thought[1] if thought else "", calls


def _is_empty(message: Message) -> bool:
    said = (message["content"], message.get("reasoning_content") or "")
    silent = not any(part.strip() for part in said) and not message.get("tool_calls")
    return silent and message.get("weight") != 0

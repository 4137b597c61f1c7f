"""Read an event stream, which some servers send although none was asked for, as one answer."""

import json
from collections.abc import Iterator
from typing import Any


def is_stream(text: str) -> bool:
    """Return whether a body is an event stream."""
    return text.lstrip("\ufeff \r\n").startswith(("data:", "event:", ":", "id:", "retry:"))


def read_stream(text: str) -> dict[str, Any]:
    """Return the answer that the events of a stream make.

    That is the one whole answer (or error) among them, else the sum of the pieces.

    Raises:
        ValueError: an event is not JSON, or the stream has no end.
    """
    choices: dict[int, dict[str, Any]] = {}
    last: dict[str, Any] = {}
    for event in _events(text):
        if not isinstance(event, dict):
            raise ValueError("an event is not a JSON object")
        pieces = event.get("choices")
        whole = isinstance(pieces, list) and any("message" in each for each in pieces if each)
        if whole or event.get("error") or event.get("object") == "error":
            return event
        if isinstance(event.get("response"), dict):  # the Responses API
            last = event["response"]
            continue
        last |= {name: value for name, value in event.items() if value is not None}
        for piece in pieces if isinstance(pieces, list) else []:
            _add(choices.setdefault(piece.get("index") or 0, {}), piece)
    if not choices:
        return last
    if not all(choice.get("finish_reason") for choice in choices.values()):
        raise ValueError("the event stream ends early")
    return {**last, "choices": [choices[number] for number in sorted(choices)]}


def _events(text: str) -> Iterator[Any]:
    for line in text.splitlines():
        kind, _, data = line.strip("\ufeff ").partition(":")
        if kind == "data" and data.strip() not in ("", "[DONE]"):
            yield json.loads(data)


def _add(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    """Add a piece to a choice: texts and calls grow."""
    message = choice.setdefault("message", {"role": "assistant", "content": None})
    for name, value in (piece.get("delta") or {}).items():
        if name == "tool_calls":
            for call in value or []:
                _add_call(message.setdefault("tool_calls", []), call)
        elif isinstance(value, str) and name != "role":
            message[name] = (message.get(name) or "") + value
    if piece.get("finish_reason"):
        choice["finish_reason"] = piece["finish_reason"]
    if isinstance(piece.get("logprobs"), dict):
        known = choice.setdefault("logprobs", {"content": []})
        known["content"] += piece["logprobs"].get("content") or []


def _add_call(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    number = piece.get("index", len(calls) - 1 if calls else 0)
    while len(calls) <= number:
        calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
    call, function = calls[number], piece.get("function") or {}
    call["id"] = piece.get("id") or call["id"]
    for name in ("name", "arguments"):
        call["function"][name] += function.get(name) or ""

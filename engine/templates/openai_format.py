"""Pieces of OpenAI's message format that templates share."""

import json
from collections.abc import Mapping
from typing import Any

from environments.tools import Tool
from environments.types import Action


def function(tool: Tool) -> dict[str, Any]:
    """Return `tool` as an entry of a request's `tools`."""
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        },
    }


def compact(arguments: Mapping[str, Any]) -> str:
    """Return arguments as one line of JSON, in their order."""
    return json.dumps(dict(arguments), ensure_ascii=False)


def arguments_of(text: str) -> tuple[dict[str, Any], str]:
    """Return the JSON object that `text` is, and "" or what is wrong with it."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, f"the arguments are not valid JSON ({error})"
    return object_of(value)


def object_of(value: Any) -> tuple[dict[str, Any], str]:
    """Return `value` as arguments, and "" or what is wrong with it."""
    if not isinstance(value, dict):
        return {}, "the arguments must be a JSON object"
    return replace_surrogates(value), ""


def first_json(text: str) -> tuple[Any, str]:
    """Return the JSON value that `text` begins with, and "" or what is wrong with it."""
    try:
        return json.JSONDecoder().raw_decode(text.strip())[0], ""
    except (ValueError, RecursionError) as error:
        return None, f"the call is not valid JSON ({error})"


def action_from_call(reply: str, call: Any, keys: tuple[str, str, str], thought: str) -> Action:
    """Return the action that the JSON value `call` holds, or a malformed action.

    `keys` are those of the tool's name, of its arguments, and of a thought that replaces `thought`,
    the text before the call.
    """
    if not isinstance(call, dict) or not isinstance(call.get(keys[0]), str) or not call[keys[0]]:
        return Action.malformed(reply, f"the call names no tool; it needs {keys[0]!r}")
    arguments, error = object_of(call.get(keys[1], {}))
    if error:
        return Action.malformed(reply, error)
    inside = call.get(keys[2])
    thought = inside if isinstance(inside, str) else thought
    return Action(replace_surrogates(call[keys[0]]), arguments, replace_surrogates(thought))


def replace_surrogates(value: Any) -> Any:
    """Return `value` with each lone surrogate replaced by U+FFFD.

    Python strings and JSON escapes can hold lone surrogates; UTF-8, and so most servers, files and
    tokenizers, cannot.
    """
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        pairs = value.items()
        return {replace_surrogates(name): replace_surrogates(inner) for name, inner in pairs}
    if isinstance(value, list | tuple):
        return [replace_surrogates(inner) for inner in value]
    return value

"""Pieces of OpenAI's wire format that templates share."""

import json
from collections.abc import Mapping
from typing import Any

from environments.tools import Tool


def function(tool: Tool) -> dict[str, Any]:
    """`tool` as an entry of a request's `tools`."""
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        },
    }


def compact(arguments: Mapping[str, Any]) -> str:
    """Arguments as one line of JSON, in the order given."""
    return json.dumps(dict(arguments), ensure_ascii=False)


def arguments_of(text: str) -> tuple[dict[str, Any], str]:
    """A JSON object read from `text`, and what is wrong where there is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, f"the arguments are not valid JSON ({error})"
    if not isinstance(value, dict):
        return {}, "the arguments must be a JSON object"
    return mended(value), ""


def mended(value: Any) -> Any:
    """`value` with each half of a surrogate pair that stands alone replaced by U+FFFD.

    Python's strings and JSON's escapes can hold them; UTF-8, and so most servers, files and
    tokenizers, cannot.
    """
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {mended(name): mended(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mended(inner) for inner in value]
    return value

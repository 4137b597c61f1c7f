"""Pieces of OpenAI's message format that templates share."""

import json
from collections.abc import Mapping
from typing import Any

from engine.templates.reading.json_text import replace_surrogates
from environments.tools import Tool

__all__ = ["compact", "function", "replace_surrogates"]


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

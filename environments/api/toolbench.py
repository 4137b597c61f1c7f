"""Names and schemas of functions, as ToolBench makes them of its tools' files.

Recorded answers and ToolLLaMA's rows go by these names. Differences: a NUMBER may have decimals
(ToolBench calls it an integer), and optional arguments are told by their absence in `required`.
"""

import re
from collections.abc import Mapping
from typing import Any

from environments.tools import Tool

LONGEST_NAME, LONGEST_DESCRIPTION = 64, 256
_TYPES = {"NUMBER": "number", "STRING": "string", "BOOLEAN": "boolean"}
_RESERVED = ("from", "class", "return", "false", "true", "id", "and")


def standard(name: str) -> str:
    """Return a name of a tool as ToolBench writes it."""
    kept = re.sub(r"[^\u4e00-\u9fa5a-zA-Z0-9_^]", "_", name)
    kept = re.sub(r"_+", "_", kept).lower().strip("_")
    return f"get_{kept}" if kept[:1].isdigit() else kept


def function_name(name: str) -> str:
    """Return a name of a function or an argument as ToolBench writes it."""
    kept = standard(name)
    return f"is_{kept}" if kept in _RESERVED else kept


def folder_name(category: str) -> str:
    """Return a category as ToolBench's folders have it."""
    return re.sub(r"[ ,/]", "_", category).replace("__", "_")


def parameters(function: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a function's arguments; what is none is left out."""
    needed, more = (_named(function.get(f"{kind}_parameters")) for kind in ("required", "optional"))
    return {"type": "object", "properties": {**more, **needed}, "required": list(needed)}


def _named(given: Any) -> dict[str, dict[str, Any]]:
    found = [each for each in given or () if isinstance(each, dict) and each.get("name")]
    return {function_name(str(each["name"])): _parameter(each) for each in found}


def _parameter(given: Mapping[str, Any]) -> dict[str, Any]:
    schema = {
        "type": _TYPES.get(str(given.get("type")).upper(), "string"),
        "description": str(given.get("description") or "")[:LONGEST_DESCRIPTION],
    }
    example = given.get("default")
    return schema if example in (None, "") else {**schema, "example_value": example}


def tool_of(function: Mapping[str, Any]) -> Tool:
    """Return a function as a tool; it has the parts that `Recorded` keeps."""
    about = f'This is the subfunction for tool "{function["tool"]}", you can use this tool.'
    if described := function["description"].strip():
        about += f'The description of this function is: "{described[:LONGEST_DESCRIPTION]}"'
    return Tool(function["name"], about, function["parameters"])

"""What OpenEnv sends, as the agent reads it: observations as texts, tool descriptions as tools."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jsonschema

from environments.errors import DataError
from environments.tools import GIVE_UP, NO_ARGUMENTS, Tool

ACT = "act"
"""The one tool of an environment that lists none."""
FINISH = Tool("finish", "End the task. What was reached so far is graded.", NO_ARGUMENTS)
_NOT_SHOWN = ("done", "reward", "metadata")


def observation_text(observation: Mapping[str, Any], hidden: Collection[str]) -> str:
    """Return the fields of an observation, but not the `hidden` ones.

    The answer of a tool is its text; one field is its value; several are a line each.
    """
    if "tool_name" in observation:
        return _tool_answer(observation)
    shown = {
        name: value
        for name, value in observation.items()
        if name not in _NOT_SHOWN and name not in hidden and value not in (None, "", [], {})
    }
    if len(shown) == 1:
        return _text(*shown.values())
    return "\n".join(f"{name}: {_text(value)}" for name, value in shown.items())


def mistake_in(observation: Mapping[str, Any]) -> str:
    """Return the kind of the agent's mistake that an observation tells; "" if none."""
    error = observation.get("error")
    if "tool_name" in observation and isinstance(error, Mapping):
        return str(error.get("error_type") or "tool_error")
    metadata = observation.get("metadata")
    told = metadata.get("error") if isinstance(metadata, Mapping) else None
    if isinstance(told, str):
        return told
    result = observation.get("result")
    return "tool_error" if isinstance(result, Mapping) and result.get("is_error") else ""


def _tool_answer(observation: Mapping[str, Any]) -> str:
    error, result = observation.get("error"), observation.get("result")
    if isinstance(error, Mapping):
        return f"error: {error.get('message') or error}"
    if isinstance(result, Mapping) and isinstance(result.get("content"), list):  # as MCP has it
        parts = [part["text"] for part in result["content"] if _is_text(part)]
        return "\n".join(parts) or _text(result.get("data"))
    return _text(result)


def _is_text(part: Any) -> bool:
    return isinstance(part, Mapping) and isinstance(part.get("text"), str)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def mcp_tools(described: Any) -> list[dict[str, Any]]:
    """Return tools of MCP's form as plain JSON, without what no tool needs."""
    tools = described if isinstance(described, Sequence) and not isinstance(described, str) else []
    return [
        {
            "name": each.get("name"),
            "description": each.get("description") or "",
            "input_schema": each.get("input_schema") or each.get("inputSchema") or NO_ARGUMENTS,
        }
        for each in tools
        if isinstance(each, Mapping)
    ]


def act_tool(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the one tool of an environment whose actions have this JSON Schema."""
    properties = {k: v for k, v in schema.get("properties", {}).items() if k != "metadata"}
    description = str(schema.get("description") or "Act in the environment.")
    parameters = {**schema, "properties": properties, "type": "object"}
    return {"name": ACT, "description": description, "input_schema": parameters}


def tools_from(described: Sequence[Mapping[str, Any]], *, finish: bool) -> tuple[Tool, ...]:
    """Return the tools that plain JSON describes, `give_up`, and `finish` if it is wanted.

    Raises:
        DataError: One has no name, or its schema is no JSON Schema.
    """
    tools: list[Tool] = []
    for each in described:
        name, schema = each.get("name"), each.get("input_schema")
        try:
            if not isinstance(name, str) or not name or not isinstance(schema, Mapping):
                raise DataError(
                    f"OpenEnv describes a tool without a name or a schema: {each!r:.200}"
                )
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise DataError(f"the schema of OpenEnv's tool {name!r}: {error.message}") from error
        if name not in (GIVE_UP.name, *(tool.name for tool in tools)):
            tools.append(Tool(name, str(each.get("description") or ""), schema))
    if finish and FINISH.name not in [tool.name for tool in tools]:
        tools.append(FINISH)
    return (*tools, GIVE_UP)

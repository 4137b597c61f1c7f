"""Formats that describe tools in a system message.

Rows in a mix of dialects keep a student from memorising one of them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.templates.base import TemplateError
from engine.templates.openai_format import function
from environments.tools import Tool

Dialect = Callable[[Sequence[Tool]], str]


def openai(tools: Sequence[Tool]) -> str:
    """Describe tools as OpenAI's function objects, one JSON per line; Hermes and Qwen know it."""
    return "\n".join(json.dumps(function(tool), ensure_ascii=False) for tool in tools)


def lines(tools: Sequence[Tool]) -> str:
    """Describe tools like `- look: Look at it. Arguments: {"at": string}`."""
    return "\n".join(
        f"- {tool.name}: {tool.description} Arguments: {_shape(tool.parameters)}" for tool in tools
    )


def autogpt(tools: Sequence[Tool]) -> str:
    """Describe tools like AutoGPT's commands: `1. look: "Look at it.", args: "at": "<string>"`."""
    return "\n".join(
        f'{number}. {tool.name}: "{tool.description}", args: {_placeholders(tool.parameters)}'
        for number, tool in enumerate(tools, 1)
    )


def toolbench(tools: Sequence[Tool]) -> str:
    """Describe tools as a Python list of functions, as in ToolBench's prompts for ToolLLaMA."""
    return str([_with_optional(tool) for tool in tools])


def typescript(tools: Sequence[Tool]) -> str:
    """Describe tools as TypeScript signatures in a namespace, as OpenAI's own models get them."""
    types = "\n\n".join(_signature(tool) for tool in tools)
    return f"namespace functions {{\n\n{types}\n\n}} // namespace functions"


DIALECTS: Mapping[str, Dialect] = {
    "openai": openai,
    "lines": lines,
    "autogpt": autogpt,
    "toolbench": toolbench,
    "typescript": typescript,
}


def dialect(name: str) -> Dialect:
    """Return the dialect called `name`.

    Raises:
        TemplateError: there is none.
    """
    if name not in DIALECTS:
        raise TemplateError(f"unknown dialect {name!r}; use one of {', '.join(DIALECTS)}")
    return DIALECTS[name]


def _properties(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = parameters.get("properties", {})
    return properties


def _shape(parameters: Mapping[str, Any]) -> str:
    kinds = (f'"{name}": {one.get("type", "any")}' for name, one in _properties(parameters).items())
    return "{" + ", ".join(kinds) + "}"


def _placeholders(parameters: Mapping[str, Any]) -> str:
    kinds = (
        f'"{name}": "<{one.get("type", "any")}>"' for name, one in _properties(parameters).items()
    )
    return ", ".join(kinds) or "none"


def _with_optional(tool: Tool) -> dict[str, Any]:
    required = list(tool.parameters.get("required", []))
    optional = [name for name in _properties(tool.parameters) if name not in required]
    parameters = {
        "type": "object",
        "properties": dict(_properties(tool.parameters)),
        "required": required,
        "optional": optional,
    }
    return {"name": tool.name, "description": tool.description, "parameters": parameters}


def _signature(tool: Tool) -> str:
    required = tool.parameters.get("required", [])
    fields = []
    for name, schema in _properties(tool.parameters).items():
        if "description" in schema:
            fields.append(_comment(schema["description"]))
        optional = "" if name in required else "?"
        fields.append(f"{name}{optional}: {_type(schema)},")
    body = "_: {\n" + "\n".join(fields) + "\n}" if fields else ""
    return f"{_comment(tool.description)}\ntype {tool.name} = ({body}) => any;"


def _comment(text: str) -> str:
    return "\n".join(f"// {line}" for line in text.splitlines())


def _type(schema: Mapping[str, Any]) -> str:
    """Return a JSON Schema as a TypeScript type; `any` for what TypeScript cannot express."""
    if "enum" in schema:
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " | ".join(_type(one) for one in schema[union])
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " | ".join(_type({**schema, "type": one}) for one in kind)
    if kind == "array":
        inner = _type(schema.get("items", {}))
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if kind == "integer":
        return "number"
    return kind if kind in ("number", "string", "boolean", "null", "object") else "any"

"""Ways to describe tools in a system message, so that a student learns none of them by heart."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.templates.base import TemplateError
from engine.templates.openai_format import function
from environments.tools import Tool

Dialect = Callable[[Sequence[Tool]], str]


def openai(tools: Sequence[Tool]) -> str:
    """OpenAI's function objects as JSON, one a line; Hermes and Qwen are trained on this."""
    return "\n".join(json.dumps(function(tool), ensure_ascii=False) for tool in tools)


def lines(tools: Sequence[Tool]) -> str:
    """`- look: Look at it. Arguments: {"at": string}`"""
    return "\n".join(
        f"- {tool.name}: {tool.description} Arguments: {_shape(tool.parameters)}" for tool in tools
    )


def autogpt(tools: Sequence[Tool]) -> str:
    """`1. look: "Look at it.", args: "at": "<string>"`, as AutoGPT numbers its commands."""
    return "\n".join(
        f'{number}. {tool.name}: "{tool.description}", args: {_placeholders(tool.parameters)}'
        for number, tool in enumerate(tools, 1)
    )


def toolbench(tools: Sequence[Tool]) -> str:
    """A Python list of functions, as ToolBench tells ToolLLaMA of its APIs: `str(functions)`."""
    return str([_with_optional(tool) for tool in tools])


def typescript(tools: Sequence[Tool]) -> str:
    """Type signatures in a namespace, as OpenAI's own models are shown their functions."""
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
    """The dialect called `name`.

    Raises:
        TemplateError
    """
    if name not in DIALECTS:
        raise TemplateError(f"no dialect {name!r}; use one of {', '.join(DIALECTS)}")
    return DIALECTS[name]


def _properties(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = parameters.get("properties", {})
    return found


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
        mark = "" if name in required else "?"
        fields.append(f"{name}{mark}: {_type(schema)},")
    body = "_: {\n" + "\n".join(fields) + "\n}" if fields else ""
    return f"{_comment(tool.description)}\ntype {tool.name} = ({body}) => any;"


def _comment(text: str) -> str:
    return "\n".join(f"// {line}" for line in text.splitlines())


def _type(schema: Mapping[str, Any]) -> str:
    """A JSON Schema as a TypeScript type; what it cannot say is `any`."""
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

"""JSON Schemas of arguments: which names they hold, and the same schema with other names."""

from collections.abc import Mapping, Sequence
from typing import Any

from environments.tools import Tool

BESIDE = ("allOf", "anyOf", "oneOf")
"""Keywords that hold several schemas for the same object."""

BELOW = ("not", "if", "then", "else")
"""Keywords that hold one."""

UNREADABLE = ("$ref", "$dynamicRef", "patternProperties", "propertyNames", "dependencies")
"""Keywords that can name arguments in ways that are not followed; such tools keep their names."""


def properties(tool: Tool) -> Mapping[str, Any]:
    """Return the schemas of a tool's arguments, by name."""
    found: Mapping[str, Any] = tool.parameters.get("properties") or {}
    return found


def holds(schema: Any, keywords: Sequence[str]) -> bool:
    """Return whether a schema of arguments, or one for the same object inside it, has a keyword."""
    if not isinstance(schema, Mapping):
        return False
    inner = [each for key in BESIDE for each in schema.get(key) or ()]
    inner += [schema[key] for key in BELOW if key in schema]
    return any(key in schema for key in keywords) or any(holds(each, keywords) for each in inner)


def renamed(schema: Any, names: Mapping[str, str]) -> Any:
    """Return a schema of arguments with other names for them."""
    if not isinstance(schema, Mapping) or not names:
        return schema

    def keys(values: Mapping[str, Any]) -> dict[str, Any]:
        return {names.get(name, name): value for name, value in values.items()}

    def listed(values: Sequence[str]) -> list[str]:
        return [names.get(name, name) for name in values]

    found = dict(schema)
    if "properties" in found:
        found["properties"] = keys(found["properties"])
    if "required" in found:
        found["required"] = listed(found["required"])
    if "dependentRequired" in found:
        lists = keys(found["dependentRequired"])
        found["dependentRequired"] = {name: listed(each) for name, each in lists.items()}
    if "dependentSchemas" in found:
        schemas = keys(found["dependentSchemas"])
        found["dependentSchemas"] = {n: renamed(each, names) for n, each in schemas.items()}
    found |= {key: [renamed(each, names) for each in found[key]] for key in BESIDE if key in found}
    return found | {key: renamed(found[key], names) for key in BELOW if key in found}


def without(schema: Mapping[str, Any], dropped: Sequence[str]) -> Mapping[str, Any]:
    """Return a schema of arguments without those that are `dropped`, which are optional."""
    if not dropped:
        return schema
    left = {name: each for name, each in schema["properties"].items() if name not in dropped}
    return {**schema, "properties": left}


def unknown(name: str, tool: Tool) -> str:
    """Return a name like `name` that no argument of `tool` has."""
    other = f"{name}_"
    while other in properties(tool):
        other += "_"
    return other

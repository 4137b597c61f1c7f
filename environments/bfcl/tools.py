"""The functions of BFCL's classes as tools, and functions that the user adds later."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from environments.bfcl.package import MODULES
from environments.errors import DataError
from environments.records import Faults, read_records
from environments.tools import Tool, arguments

TYPES = {"dict": "object", "float": "number", "tuple": "array"}
"""Names of types in BFCL's definitions that JSON Schema calls otherwise; "any" is no type."""

BOUNDS: Mapping[tuple[str, str], tuple[int, int]] = {
    ("power", "exponent"): (-1000, 1000),
    ("logarithm", "precision"): (1, 1000),
    ("square_root", "precision"): (1, 1000),
    ("round_number", "decimal_places"): (-1000, 1000),
}
"""Least and greatest values of arguments with which a call could otherwise take hours."""

ADDED = Tool(
    "call_added_function",
    "Call a function that the user added in a message of this conversation. The message has its "
    "definition.",
    arguments(
        name={"type": "string", "description": "The function's name."},
        arguments={"type": "object", "description": "Its arguments by name."},
    ),
)


@cache
def class_tools(folder: Path, name: str) -> tuple[Tool, ...]:
    """Return the functions of a class, as the definitions in `folder` describe them.

    Raises:
        DataError: There are none, or they are malformed.
    """
    file = folder / f"{MODULES[name]}.json"
    records = read_records(file, Faults(strict=True))
    try:
        return tuple(_tool(record.fields) for record in records)
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(f"{file}: a function's definition is malformed ({error!r})") from error


def definitions(tools: Sequence[Tool]) -> str:
    """Return the definitions of `tools` as JSON, for a message of the user."""
    shown = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        for tool in tools
    ]
    return json.dumps(shown, ensure_ascii=False)


def _tool(defined: Mapping[str, Any]) -> Tool:
    name, parameters = defined["name"], _schema(defined["parameters"])
    parameters["additionalProperties"] = False
    for argument, schema in parameters["properties"].items():
        if bounds := BOUNDS.get((name, argument)):
            schema["minimum"], schema["maximum"] = bounds
    return Tool(name, defined["description"], parameters)


def _schema(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a BFCL schema as JSON Schema."""
    schema = dict(given)
    if (kind := schema.pop("type", "any")) != "any":
        schema = {"type": TYPES.get(kind, kind)} | schema
    if schema.get("default") == "None":  # Python's None: no value
        del schema["default"]
    if "properties" in schema:
        schema["properties"] = {name: _schema(each) for name, each in schema["properties"].items()}
    if "items" in schema:
        schema["items"] = _schema(schema["items"])
    return schema

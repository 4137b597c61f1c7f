"""What is wrong with the schema of a tool: what chat servers refuse, and slips of its author."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema

TYPES = "string, number, integer, boolean, array, object, null"
KEYWORDS = {
    *jsonschema.Draft202012Validator.VALIDATORS,
    *("title", "description", "default", "examples", "example", "deprecated", "nullable"),
    *("readOnly", "writeOnly", "contentEncoding", "contentMediaType", "contentSchema"),
    *("$schema", "$id", "$anchor", "$dynamicAnchor", "$comment", "$vocabulary", "$defs"),
    *("definitions", "then", "else", "minContains", "maxContains"),
}
"""Keywords of JSON Schema, and those of OpenAPI that servers pass over; beside "x-..."."""
BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
ALONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
"""Keywords whose values are schemas: by name, in a list, or one."""

_META = jsonschema.Draft202012Validator(jsonschema.Draft202012Validator.META_SCHEMA)
_Place = tuple[str, ...]


def schema_breach(schema: Any) -> str:
    """Return what is wrong with the parameters of a tool; "" if chat servers take them."""
    if not isinstance(schema, Mapping):
        return f"{kind_of(schema)} is no JSON Schema; a tool without arguments has NO_ARGUMENTS"
    try:
        plain = json.loads(json.dumps(schema, default=_mapping, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        return f"it must be JSON ({error}); types are texts: {TYPES}"
    if plain.get("type") != "object":
        return 'write {"type": "object", "properties": {...}} around the arguments'
    if wrong := next(_META.iter_errors(plain), None):
        return f"{_told(wrong.path)}: {_said(wrong)}"
    for at, part in _parts(plain, ()):
        if words := _oddity(part, plain):
            return f"{_told(at)}: {words}"
    return ""


def kind_of(value: Any) -> str:
    """Return the type of a value in words."""
    if value is None:
        return "None"
    name = type(value).__name__
    size = f" of {len(value)}" if isinstance(value, tuple) else ""
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}{size}"


def _parts(schema: Any, at: _Place) -> Iterator[tuple[_Place, Mapping[str, Any]]]:
    """Yield a schema and all schemas in it, with their places."""
    if not isinstance(schema, Mapping):
        return
    yield at, schema
    for keyword in BY_NAME:
        for name, part in schema.get(keyword, {}).items():
            yield from _parts(part, (*at, keyword, name))
    for keyword in LISTED:
        for number, part in enumerate(schema.get(keyword, ())):
            yield from _parts(part, (*at, keyword, str(number)))
    for keyword in ALONE:
        yield from _parts(schema.get(keyword), (*at, keyword))


def _oddity(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """Return what the specification allows, and what is a mistake all the same; "" if nothing."""
    for keyword in schema:
        if keyword not in KEYWORDS and not keyword.startswith("x-"):
            return f"JSON Schema has no keyword {keyword!r}"
    target = schema.get("$ref", "")
    if target.startswith("#/") and not _resolves(target, whole):
        return f"nothing is at {target!r}"
    if schema.get("additionalProperties") is False:
        for name in schema.get("required", ()):
            if name not in schema.get("properties", {}):
                return f"{name!r} is required, and is no property"
    try:
        re.compile(schema.get("pattern", ""))
    except re.error as error:
        return f"{schema['pattern']!r:.40} is no regular expression ({error})"
    return ""


def _mapping(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r:.40} is none")


def _said(error: jsonschema.ValidationError) -> str:
    if list(error.path)[-1:] == ["type"]:
        return f"{error.instance!r:.40} is no type; types are {TYPES}"
    return error.message[:120]


def _told(path: Sequence[Any]) -> str:
    return ".".join(map(str, path)) or "at its top"


def _resolves(target: str, whole: Any) -> bool:
    for part in target[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(whole, Mapping) or name not in whole:
            return False
        whole = whole[name]
    return True

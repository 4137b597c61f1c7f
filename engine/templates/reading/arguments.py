"""Read a call's arguments, in whatever form a model gave them, as plain JSON.

What the tool's schema tells is used where the text alone does not decide: to a tool with one
argument a text is that argument; positions become names; nothing becomes {}.
"""

import re
from collections.abc import Mapping
from typing import Any

from engine.templates.reading.json_text import NotJson, plain, read_json
from engine.templates.reading.python_calls import Given, NotACall, read_arguments
from environments.tools import Tool

_BLANK = frozenset(
    {"", "null", "none", "nil", "n/a", "na", "-", "()", "(none)", "(empty)", "''", '""'}
)
_FENCE = re.compile(r"\s*(?:```|~~~)[\w+-]*[ \t]*\n?")
_CLOSING_FENCE = re.compile(r"\n?[ \t]*(?:```|~~~)")
_INLINE = re.compile(r"`([^`\n]+)`")
_NEXT = re.compile(
    r"\n[ \t]*[*#>_]*(?:Observation|Thought|Action(?:[ _]Input)?|Final[ _]Answer)\b"
    r"[^\n:]{0,8}:.*\Z",
    re.DOTALL | re.IGNORECASE,
)
_END = re.compile(r"(?:\s|</[\w:]+>|```|~~~|<[|｜][^<>\n]*[|｜]>)*\Z")

Read = tuple[dict[str, Any], tuple[str, ...]]
"""Arguments, and words for what was mended in them."""


class Unreadable(ValueError):
    """What is wrong with a call, in words for the model."""


def read(given: Any, tool: Tool | None) -> Read:
    """Return arguments as plain JSON, and words for what was mended.

    Args:
        given: a JSON value, the text of one, or what stood between the brackets of a call.
        tool: the tool that is called, if it is known.

    Raises:
        Unreadable: they cannot be read.
    """
    try:
        if isinstance(given, Mapping):
            return plain(given), ()
        if isinstance(given, str):
            return _of_text(given, tool)
        if isinstance(given, Given):
            return plain(_named(given, tool)), ("call-syntax",)
    except NotJson as error:
        raise Unreadable(f"the arguments are {error}") from None
    if given is None:
        return {}, ("empty",)
    raise Unreadable("the arguments must be a JSON object")


def only_argument(tool: Tool | None) -> str:
    """Return the name of the argument that a text given to `tool` means; "" if none does."""
    if tool is None:
        return ""
    properties = tool.parameters.get("properties") or {}
    required = tool.parameters.get("required") or []
    names = required if len(required) == 1 else [*properties]
    takes_text = len(names) == 1 and _takes_text(properties.get(names[0]) or {})
    return str(names[0]) if takes_text else ""


def cut_fence(text: str) -> tuple[str, bool]:
    """Return the text within the code fence that `text` begins with, and whether it has one."""
    opening = _FENCE.match(text)
    if opening is None:
        return text, False
    inside = text[opening.end() :]
    closing = _CLOSING_FENCE.search(inside)
    return inside[: closing.start()] if closing else inside, True


def _of_text(text: str, tool: Tool | None) -> Read:
    text = text.replace("\r\n", "\n")
    if inline := _INLINE.fullmatch(text.strip()):
        text = f"```\n{inline[1]}\n```"
    opening = _FENCE.match(text)
    body = text[opening.end() :] if opening else text
    words: tuple[str, ...] = ("fence",) if opening else ()
    if _NEXT.sub("", f"\n{body}").strip().casefold() in _BLANK:
        return {}, ("empty",)
    try:
        found = read_json(body)
    except NotJson as error:
        if body.lstrip().startswith(("{", '"{', "'{")):
            raise
        return _of_other_text(text, tool, str(error))
    if found.missing and not found.ended:
        raise NotJson("not valid JSON (they stop before their end)")
    rest = body[found.end :]
    if isinstance(found.value, dict):
        words += ("json",) if found.repaired else ()
        return found.value, words + _dropped(rest)
    if isinstance(found.value, str) and _END.match(rest):
        return _of_string(found.value, tool, words)
    if found.value is None or found.value == []:
        return {}, ("empty",)
    if isinstance(found.value, list) and any(isinstance(each, dict) for each in found.value):
        raise Unreadable("the arguments must be a JSON object")
    return _of_other_text(text, tool, "")


def _dropped(rest: str) -> tuple[str, ...]:
    if not rest.strip():
        return ()
    return ("fence",) if rest.strip() in ("```", "~~~") else ("trailing",)


def _of_string(value: str, tool: Tool | None, words: tuple[str, ...]) -> Read:
    """Read a JSON string: an object's JSON encoded twice, or the text of the only argument."""
    if value.strip().casefold() in _BLANK:
        return {}, ("empty",)
    if value.lstrip().startswith("{"):
        found = read_json(value)
        if found.missing or not isinstance(found.value, dict):
            raise NotJson("not valid JSON (they stop before their end)")
        if not value[found.end :].strip():
            return found.value, (*words, "double-encoded")
    return _of_other_text(value, tool, "")


def _of_other_text(text: str, tool: Tool | None, error: str) -> Read:
    """Read a text that is no JSON object: `k=v, k=v`, or the tool's only argument."""
    text = _NEXT.sub("", f"\n{text}").strip()
    inside, fenced = cut_fence(text)
    if inline := _INLINE.fullmatch(inside.strip()):
        inside, fenced = inline[1], True
    words = ("fence",) if fenced else ()
    if tool is not None and (named := _pairs(inside, tool)):
        return plain(named), (*words, "keywords")
    if name := only_argument(tool):
        return {name: plain(_END.sub("", inside).strip("\n"))}, (*words, "text")
    raise Unreadable(
        f"the arguments are {error}" if error else "the arguments must be a JSON object"
    )


def _pairs(text: str, tool: Tool) -> dict[str, Any]:
    """Return the arguments that `text` lists as `k=v, k=v`; {} if it does not, with known names."""
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    try:
        given = read_arguments(text)
    except NotACall:
        return {}
    known = tool.parameters.get("properties") or {}
    if given.positional or not given.named or given.named.keys() - known.keys():
        return {}
    return {name: _typed(value, known[name]) for name, value in given.named.items()}


def _named(given: Given, tool: Tool | None) -> dict[str, Any]:
    """Return arguments by name; positions are those of the tool's schema."""
    if not given.positional:
        return given.named
    names = [*((tool.parameters.get("properties") or {}) if tool else ())]
    if tool is not None and not names and given.positional == ("",):
        return given.named
    if isinstance(given.positional[0], dict) and len(given.positional) == 1:
        return {**given.positional[0], **given.named}
    if len(given.positional) > len(names):
        raise Unreadable("the arguments have no names; give them as a JSON object")
    return {**dict(zip(names, given.positional, strict=False)), **given.named}


def typed(text: str, name: str, tool: Tool | None) -> Any:
    """Return the value that `text` stands for as the argument `name` of `tool`."""
    properties = (tool.parameters.get("properties") or {}) if tool else {}
    return _typed(text, properties.get(name) or {})


def _typed(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a text as what the schema wants, where that is no text."""
    if not isinstance(value, str) or _takes_text(schema):
        return value
    try:
        found = read_json(value)
    except NotJson:
        return value
    return value if found.missing or value[found.end :].strip() else found.value


def _takes_text(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    if kind is None:
        unions = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        return not unions or any(_takes_text(one) for one in unions)
    return kind == "string" or (isinstance(kind, list) and "string" in kind)

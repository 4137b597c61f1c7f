"""Read calls that are JSON objects, under any of the keys that formats of tool calls use."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.templates.reading.arguments import Unreadable
from engine.templates.reading.json_text import Found, NotJson, read_json
from engine.templates.reading.names import tool_named
from environments.tools import Tool

_NAMES = (
    *("name", "tool", "tool_name", "function", "function_name", "action", "action_name"),
    *("api_name", "command_name", "command", "recipient_name"),
)
_ARGUMENTS = (
    *("arguments", "parameters", "args", "kwargs", "input", "tool_input", "action_input"),
    *("tool_args", "tool_arguments", "function_args", "params"),
)
_INNER = ("function_call", "tool_call", "function", "command", "action", "tool")
_LISTS = ("tool_calls", "tool_uses", "function_calls", "calls")
_THOUGHTS = ("thought", "thoughts", "rationale", "reasoning", "task_name")
_STARTS = re.compile(r"(?:^|(?<=[\s`>:]))(?=[{\[])")
_MOST_TRIED = 50_000
"""Maximum characters that are tried as objects in vain, all beginnings together."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was found in a reply, its name and arguments as they were written.

    Attributes:
        given: see `arguments.read`.
        thought: the text before it, or in it.
        repaired: words for how it differs from its template's own form.
        quoted: whether the name was quoted, so that it stands for itself.
    """

    name: str
    given: Any
    thought: str = ""
    repaired: tuple[str, ...] = ()
    quoted: bool = False


def call_at_start(text: str) -> Call | None:
    """Return the call that the JSON at the beginning of `text` is; None if it is another value.

    Raises:
        Unreadable: it is not JSON, or it stops before the arguments' end.
    """
    try:
        found = read_json(text)
    except NotJson as error:
        raise Unreadable(f"the call is {error}") from None
    if found.missing and not found.ended and found.missing > _levels(found.value):
        raise Unreadable("the call is not valid JSON (it stops before its end)")
    call = call_of(found.value)
    if call is None:
        return None
    return replace(call, repaired=call.repaired + (("json",) if found.repaired else ()))


def find_object(text: str, tools: Sequence[Tool]) -> Call | None:
    """Return the first call that stands in `text` as a JSON object, without any mark."""
    for start, found in _objects(text):
        complete = found.ended or found.missing <= _levels(found.value)
        call = call_of(found.value) if complete else None
        if call is None or not _is_meant(call, found.value, tools):
            continue
        before = text[:start].rstrip()
        words = ("json",) if found.repaired else ()
        if before.endswith(("```json", "```JSON", "```")):
            before, words = before[: before.rindex("```")].rstrip(), (*words, "fence")
        return replace(call, thought=call.thought or before, repaired=call.repaired + words)
    return None


def call_of(value: Any) -> Call | None:
    """Return the call that a JSON value holds; of several, the first. None if it holds none."""
    if isinstance(value, list):
        call = next(filter(None, map(call_of, value)), None)
        return replace(call, repaired=("calls",)) if call and len(value) > 1 else call
    if not isinstance(value, dict):
        return None
    for key in _LISTS:
        if isinstance(value.get(key), list) and (call := call_of(value[key])):
            return replace(call, thought=call.thought or _thought(value))
    name = next((value[key] for key in _NAMES if _is_name(value.get(key))), "")
    if name:
        given = next((value[key] for key in _ARGUMENTS if key in value), _beside(value))
        return Call(name, given, _thought(value))
    for key in _INNER:
        if isinstance(value.get(key), dict) and (call := call_of(value[key])):
            return replace(call, thought=call.thought or _thought(value))
    return None


LABELLED = {
    "reasoning": "Reasoning",
    "plan": "Plan",
    "criticism": "Criticism",
    "speak": "Speak",
}
"""AutoGPT's thoughts beside the text, and how the lines of a thought name them."""


def lines_of(thoughts: Any) -> str:
    """Return AutoGPT's thoughts, a text or an object of texts, as lines."""
    if isinstance(thoughts, str):
        return thoughts
    if not isinstance(thoughts, dict):
        return ""
    lines = []
    for key, thought in thoughts.items():
        said = "\n".join(map(str, thought)) if isinstance(thought, list) else str(thought or "")
        if said:
            lines.append(f"{LABELLED[key]}: {said}" if key in LABELLED else said)
    return "\n".join(lines)


def _thought(value: Mapping[str, Any]) -> str:
    return next(filter(None, (lines_of(value.get(key)) for key in _THOUGHTS)), "")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _beside(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands beside the name as arguments, where no key holds them."""
    return {k: v for k, v in value.items() if k not in (*_NAMES, *_THOUGHTS, "type", "id")}


def _is_meant(call: Call, value: Any, tools: Sequence[Tool]) -> bool:
    """Return whether an object without a mark is a call: it names a tool, or looks like a call."""
    if tools:
        return tool_named(call.name, tools) is not None
    return isinstance(value, list) or any(key in value for key in (*_ARGUMENTS, *_INNER, *_LISTS))


def _objects(text: str) -> Iterator[tuple[int, Found]]:
    """Yield the objects and lists in `text` that are not within another one."""
    end = tried = 0
    for start in _STARTS.finditer(text):
        if start.start() < end:
            continue
        if tried > _MOST_TRIED:
            return
        try:
            found = read_json(text[start.start() :])
        except NotJson:
            tried += len(text) - start.start()
            continue
        end = start.start() + found.end
        yield start.start(), found


def _levels(value: Any) -> int:
    """Return how many brackets may be missing behind the arguments of the call in `value`.

    They may if nothing can have been lost: the arguments are closed, and are the last part.
    """
    levels = 0
    while isinstance(value, dict | list) and value:
        levels += 1
        key, value = next(reversed(value.items())) if isinstance(value, dict) else (0, value[-1])
        if key in _ARGUMENTS:
            return levels if isinstance(value, dict) else 0
    return 0

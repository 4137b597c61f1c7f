"""The world's own answer tool, and the forms in which published formats give an answer.

ReAct ends with `Final Answer: TEXT`, ToolBench with `Finish`, KwaiAgents with a second request for
the words. All three are the call of the world's tool called answer, finish or submit, if it has
exactly one. What cannot be written so that reading gives the same call is written as a plain call.
"""

import json
from collections.abc import Sequence
from typing import Any

from engine.templates.reading.arguments import Unreadable, cut_fence, only_argument
from engine.templates.reading.labels import final_answer
from engine.templates.reading.names import answer_tool
from engine.templates.reading.reader import action_of
from environments.tools import Tool
from environments.types import Action


def answering(tools: Sequence[Tool]) -> Tool | None:
    """Return the tool that takes a text as the answer; None if not exactly one does."""
    tool = answer_tool(tools)
    return tool if tool is not None and final_answer("x", tools) and _arguments(tool) else None


def described(tools: Sequence[Tool]) -> str:
    """Return what the answer tool takes, in its own words; "" if there is none."""
    tool = answering(tools)
    if tool is None:
        return ""
    given = (
        f"{name}: {about}"
        for name, schema in _arguments(tool).items()
        if name != "return_type" and (about := str(schema.get("description") or ""))
    )
    return " ".join([tool.description, *given])


def read_answer(text: str, tools: Sequence[Tool]) -> Action | None:
    """Return the call of the answer tool that `text` is; None if there is no such tool."""
    try:
        call = final_answer(text, tools)
        found = action_of(call, tools) if call else None
    except Unreadable:
        return None
    return found and Action(found.tool, found.arguments)


def written_answer(action: Action, tools: Sequence[Tool]) -> str:
    """Return the text that `read_answer` reads as `action`; "" if there is none."""
    tool = answering(tools)
    if tool is None or action.tool != tool.name:
        return ""
    texts = [value for value in action.arguments.values() if isinstance(value, str)]
    return next((text for text in texts if _same(read_answer(text, tools), action)), "")


def read_words(text: str, tools: Sequence[Tool]) -> Action | None:
    """Return the call of the answer tool whose argument is a whole reply in words.

    A number is one where the argument may be a number. A fence around all of it is dropped.
    """
    tool = answering(tools)
    if text.startswith("```") and text.endswith("```") and text.count("```") == 2:
        text = cut_fence(text)[0]
    if tool is None or not text.strip():
        return None
    called = read_answer("x", tools)
    name = only_argument(tool)
    if name and _takes_number(tool, name) and (number := _number(text)) is not None:
        return Action(tool.name, {name: number})
    if name:
        return Action(tool.name, {name: text})
    if called and "final_answer" in called.arguments:
        return Action(tool.name, {**called.arguments, "final_answer": text})
    return read_answer(text, tools)


def written_words(action: Action, tools: Sequence[Tool]) -> str:
    """Return the reply in words that `read_words` reads as `action`; "" if there is none."""
    tool = answering(tools)
    if tool is None or action.tool != tool.name:
        return ""
    texts = [
        value if isinstance(value, str) else json.dumps(value)
        for value in action.arguments.values()
    ]
    return next((text for text in texts if _same(read_words(text, tools), action)), "")


def _same(found: Action | None, action: Action) -> bool:
    """Return whether two calls have the same tool and the same arguments, types included."""
    return found is not None and found.key == action.key


def _arguments(tool: Tool) -> dict[str, Any]:
    found: dict[str, Any] = tool.parameters.get("properties") or {}
    return found


def _takes_number(tool: Tool, name: str) -> bool:
    schema = _arguments(tool)[name]
    kinds = [each.get("type") for each in schema.get("anyOf", [schema])]
    return not {"number", "integer"}.isdisjoint(map(str, kinds))


def _number(text: str) -> int | float | None:
    """Return the number whose JSON is `text`."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and json.dumps(value) == text else None

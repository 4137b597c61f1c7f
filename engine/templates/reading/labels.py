"""Find calls written with labels: `Thought:`, `Action:`, `Action Input:`, `Final Answer:`.

Labels may be bold, headings or numbered; blank lines may stand between the parts, and the input may
stand on the action's line. The first call counts: what follows it, such as an observation that the
model made up, is not read.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from engine.templates.reading.arguments import Unreadable, only_argument
from engine.templates.reading.json_calls import Call, call_at_start
from engine.templates.reading.names import answer_tool, is_answer, mend, tool_named
from engine.templates.reading.python_calls import Given, NotACall, read_call
from environments.tools import Tool

_INPUT = r"(?:Action[ _]?)?(?:Inputs?|Arguments|Parameters)"
_WORDS = rf"(?P<{{0}}>Thought|{_INPUT}|Action|Observation|Final[ _]Answer)"
_NOTE = r"(?:[ \t]*\([^()\n]{1,20}\))?"
_LABEL = re.compile(
    r"^[ \t]*(?:(?:[#>-]+|\d+[.)])[ \t]*)?(?:"
    rf"(?P<bold>[*_`]{{1,3}}){_WORDS.format('a')}(?:[ \t]*\d+)?{_NOTE}[ \t]*"
    r"(?:[:：][ \t]*(?P=bold)|(?P=bold)[ \t]*[:：])"
    rf"|{_WORDS.format('b')}(?:[ \t]*\d+)?{_NOTE}[ \t]*[:：]"
    rf"|#+[ \t]*{_WORDS.format('c')}[ \t]*$"
    r")|(?<=[^\n])[ \t]+[*_]*(?P<d>Action[ _]Input)[*_]*[ \t]*[:：][*_]*",
    re.MULTILINE | re.IGNORECASE,
)
_CANONICAL = frozenset({"Thought:", "Action:", "Action Input:", "Final Answer:"})
_NAME_AND_JSON = re.compile(
    r"(?P<name>[\w.:/-]+)[ \t]*:?\s*(?:```\w*\s*)?(?P<json>\{.*)", re.DOTALL
)


def has_labels(text: str) -> bool:
    """Return whether a line of `text` begins with a label that can be a call."""
    kinds = {_kind(found) for found in _LABEL.finditer(f"\n{text}")}
    return not kinds.isdisjoint({"action", "final answer"})


def find_labelled(text: str, tools: Sequence[Tool]) -> Call | None:
    """Return the first call in `text`; None if there is none.

    Raises:
        Unreadable: a label names no tool.
    """
    labels = [found for found in _LABEL.finditer(text)]
    for number, label in enumerate(labels):
        following = labels[number + 1] if number + 1 < len(labels) else None
        call = _call(text, label, following, tools)
        if call is not None:
            return _with_thought(call, text, labels[: number + 1])
    return None


def said(text: str) -> tuple[str, str] | None:
    """Return the thought and the words to the user in a `text` without a call.

    None if there are none: a thought alone is not said, and an action that was not read or an
    object that stops is a mistake.
    """
    if text.lstrip().startswith("{") and not _is_json(text):
        return None
    labels = {_kind(found): found for found in _LABEL.finditer(text)}
    answer = labels.get("final answer")
    if not labels.keys() <= {"thought", "final answer"} or (labels and answer is None):
        return None
    thought, words = (text[: answer.start()], text[answer.end() :]) if answer else ("", text)
    thought = thought[labels["thought"].end() :] if "thought" in labels else thought
    return (thought.strip(), words.strip()) if words.strip() else None


def unquoted(text: str) -> tuple[str, bool]:
    """Return what a JSON string holds; another text as it is. And whether it was one."""
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        try:
            found = json.loads(text)
        except ValueError:
            return text, False
        return (found, True) if isinstance(found, str) else (text, False)
    return text, False


def _call(
    text: str, label: re.Match[str], following: re.Match[str] | None, tools: Sequence[Tool]
) -> Call | None:
    if _kind(label) == "final answer":
        return final_answer(text[label.end() :], tools)
    if _kind(label) != "action":
        return None
    region = text[label.end() : following.start() if following else len(text)].strip()
    if following is not None and _kind(following) == "action input":
        if not region:
            raise Unreadable("Action: names no tool")
        if "\n" not in region:
            return _with_input(region, text[following.end() :], tools)
    return _without_input(region, tools)


def _with_input(name: str, given: str, tools: Sequence[Tool]) -> Call:
    name, quoted = unquoted(name)
    return Call(name, given, quoted=quoted)


def _without_input(region: str, tools: Sequence[Tool]) -> Call | None:
    """Read an action whose input has no label: `look("x")`, `look[x]`, `look {...}`, `look`."""
    if region.startswith(("{", "```", "[")):
        call = call_at_start(re.sub(r"\A```\w*\s*", "", region))
        return Call(call.name, call.given, call.thought, (*call.repaired, "form")) if call else None
    if found := _NAME_AND_JSON.fullmatch(region):
        return Call(found["name"], found["json"], repaired=("form",))
    try:
        name, given = read_call(region.strip("`*"))
    except NotACall:
        tool = tool_named(region, tools)
        needs = tool.parameters.get("required") if tool else ()
        return Call(region, None) if tool and not needs else None
    return _called(name, given, tools)


def _called(name: str, given: Given, tools: Sequence[Tool]) -> Call | None:
    if is_answer(name) and tool_named(name, tools) is None and given.positional:
        return final_answer(str(given.positional[0]), tools)
    known = not tools or mend(name, tools) in {tool.name for tool in tools}
    return Call(name, given) if known or not given.positional else None


def final_answer(text: str, tools: Sequence[Tool]) -> Call | None:
    """Return the call of the tool that takes the answer; None if it is not known which."""
    tool = answer_tool(tools)
    if tool is None:
        return None
    text = text.strip()
    if text.startswith("{") or not tool.parameters.get("properties"):
        return Call(tool.name, text if text.startswith("{") else None, "", ("final-answer",))
    if set(tool.parameters["properties"]) == {"return_type", "final_answer"}:  # ToolBench's Finish
        given: Any = {"return_type": "give_answer", "final_answer": text}
        return Call(tool.name, given, "", ("final-answer",))
    name = only_argument(tool) or _alternative(tool, text)
    given = text if only_argument(tool) else {name: _whole(text)}
    return Call(tool.name, given, "", ("final-answer",)) if name else None


def _alternative(tool: Tool, text: str) -> str:
    """Return the argument, of a tool that takes just one, that suits an answer.

    Code, which stands in a fence or on several lines, goes to the argument called code.
    """
    names = [*(tool.parameters.get("properties") or {})]
    if tool.parameters.get("maxProperties") != 1:
        return ""
    is_code = "```" in text or "\n" in text
    fitting = [name for name in names if (name == "code") == is_code]
    return str(fitting[0]) if len(fitting) == 1 else ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _whole(text: str) -> str:
    stop = re.search(r"\n[ \t]*(?:Observation|Thought)[ \t]*:", text)
    return text[: stop.start()] if stop else text


def _with_thought(call: Call, text: str, labels: Sequence[re.Match[str]]) -> Call:
    """Add the thought: what the first label of a thought begins, else all before the call."""
    start = labels[-1].start()
    first = next((label for label in labels if _kind(label) == "thought"), None)
    words = list(call.repaired)
    if any(label[0].strip() not in _CANONICAL for label in labels):
        words.append("label")
    if first is not None and text[: first.start()].strip():
        words.append("preamble")
    thought, _ = unquoted(text[first.end() if first else 0 : start].strip())
    both = "\n".join(filter(None, (thought, call.thought)))
    return Call(call.name, call.given, both, tuple(words), call.quoted)


def _kind(label: re.Match[str]) -> str:
    word = (label["a"] or label["b"] or label["c"] or label["d"]).lower()
    if word.startswith("final"):
        return "final answer"
    return "action input" if word.endswith(("input", "inputs", "arguments", "parameters")) else word

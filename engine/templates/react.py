"""ReAct (Yao et al. 2022, arXiv:2210.03629), in the form that LangChain and KwaiAgents publish.

    Thought: I should look at the tables.
    Action: describe_table
    Action Input: {"table": "loans"}

and, at the end, where the world has one answer tool that takes a text:

    Thought: I now know the final answer
    Final Answer: 3

The arguments are one line of JSON. A thought that would be misread (it holds such labels, or marks
of reasoning), and a tool name that does not fit on a line (a policy may call tools that do not
exist), are written as JSON strings. An answer that would be misread is written as an action.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from engine.templates import answers
from engine.templates.dialects import lines
from engine.templates.openai_format import compact, replace_surrogates
from engine.templates.parts import Parts, Values, words
from engine.templates.reading.json_calls import Call
from engine.templates.reading.json_text import NotJson, read_json
from engine.templates.reading.labels import find_labelled, has_labels, unquoted
from engine.templates.reading.reader import LABELS_FIRST, Reader, is_plain
from engine.templates.text import Text
from environments.tools import Tool
from environments.types import Action

FINAL_ANSWER = "Final Answer"
_OBSERVATION = "\nObservation:"

_FORM = """\
Use the following format:

Question: the task you must solve
Thought: you should always think about what to do next
Action: the action to take, should be one of [$tool_names]
Action Input: the input to the action, its arguments as one line of JSON
Observation: the result of the action
... (this Thought/Action/Action Input/Observation can repeat N times)"""

_FINAL = """
Thought: I now know the final answer
Final Answer: the final answer to the Question ($answer)"""

_ONE_STEP = """

Write one Thought and one Action with its Action Input at a time, and no Observation."""

_WHOLE = re.compile(
    r"\A(?:Thought: (?P<thought>.*)\n)?Action: (?P<tool>[^\n]*)\nAction Input: (?P<input>[^\n]*)\Z",
    re.DOTALL,
)
_ENDING = re.compile(r"\A(?:Thought: (?P<thought>.*?)\n)?Final Answer: (?P<answer>.*)\Z", re.DOTALL)


def write(action: Action, tools: Sequence[Tool] = ()) -> str:
    """Return a call as the assistant's message."""
    thought = written_thought(action.thought)
    before = f"Thought: {thought}\n" if thought else ""
    if answer := _writable(action, tools):
        return f"{before}{FINAL_ANSWER}: {answer}"
    return f"{before}{call(action)}"


def call(action: Action) -> str:
    """Return the lines of an action, without its thought."""
    return f"Action: {_quoted(action.tool)}\nAction Input: {compact(action.arguments)}"


def written_thought(thought: str) -> str:
    """Return a thought as it is or, if it would be misread, as a JSON string."""
    plain = is_plain(thought) and not has_labels(thought)
    return thought if plain else json.dumps(thought, ensure_ascii=False)


def read(reply: str, tools: Sequence[Tool] = ()) -> Action:
    """Return the action in a reply, or a malformed action."""
    return _finished(replace_surrogates(reply), tools) or READER(reply, tools)


def _writable(action: Action, tools: Sequence[Tool]) -> str:
    """Return an answer that stands in a line of its own; "" if it would be misread there."""
    text = answers.written_answer(action, tools)
    misread = has_labels(text) or _OBSERVATION in f"\n{text}" or not is_plain(text)
    return "" if misread or text != text.strip() else text


def _finished(reply: str, tools: Sequence[Tool]) -> Action | None:
    """Return the answer in a reply that ends as `write` writes it.

    Without tools it is not known which call it is, so that it keeps its name.
    """
    found = _ENDING.match(reply)
    if found is None:
        return None
    thought = unquoted(found["thought"] or "")[0]
    if not tools:
        return Action(FINAL_ANSWER, {"answer": found["answer"]}, thought)
    action = answers.read_answer(found["answer"], tools)
    action = action and replace(action, thought=thought)
    return action if action and write(action, tools) == reply else None


def _exact(reply: str) -> Call | None:
    """Return the call in a reply as `write` writes it."""
    found = _WHOLE.match(reply)
    if found is None:
        return None
    thought, quoted = unquoted(found["thought"] or "")
    if not quoted and (not is_plain(thought) or has_labels(thought)):
        return None
    try:
        given = read_json(found["input"])
    except NotJson:
        return None
    if given.repaired or given.end != len(found["input"]) or not isinstance(given.value, dict):
        return None
    tool, named = unquoted(found["tool"])
    if not tool or (tool != tool.strip() and not named):
        return None
    return Call(tool, given.value, thought, quoted=named)


def _quoted(tool: str) -> str:
    plain = tool == tool.strip() and "\n" not in tool and not tool.startswith('"')
    return tool if plain else json.dumps(tool, ensure_ascii=False)


def _lost(reply: str) -> str:
    return "no call was found; end with Action: and Action Input:"


READER = Reader(_exact, LABELS_FIRST, find_labelled, _lost)
"""Reads calls that are actions."""


def _format(values: Values) -> str:
    form = f"{_FORM}{_FINAL if values['answer'] else ''}{_ONE_STEP}"
    return words(form)(values)


PARTS = Parts(
    profile=words("Answer the following questions as best you can."),
    tools=words("You have access to the following tools:\n\n$tools"),
    goal=words("Begin!\n\nQuestion: $prompt"),
    format=_format,
    order=("profile", "instruction", "tools", "format", "goal", "memory"),
)

TEMPLATE = Text(
    "react",
    PARTS,
    lines,
    write,
    read,
    "Observation: {}".format,
    stop=(_OBSERVATION,),
)

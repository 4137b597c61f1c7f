"""Tool calls as text: ReAct (Yao et al. 2022, arXiv:2210.03629), for models without tool calling.

    Thought: I should look at the tables.
    Action: describe_table
    Action Input: {"table": "loans"}

The arguments are one line of JSON. A thought that would be misread (it holds such labels, or marks
of reasoning), and a tool name that does not fit on a line (a policy may call tools that do not
exist), are written as JSON strings.
"""

import json
import re

from engine.templates.dialects import lines
from engine.templates.openai_format import compact
from engine.templates.reading.json_calls import Call
from engine.templates.reading.json_text import NotJson, read_json
from engine.templates.reading.labels import find_labelled, has_labels, unquoted
from engine.templates.reading.reader import LABELS_FIRST, Reader, is_plain
from engine.templates.text import Text, system_with
from environments.types import Action

FORMAT = """\
Answer with one call at a time, in exactly this form:
Thought: why you make the call
Action: the name of a tool
Action Input: its arguments as one line of JSON

Tools:
{tools}"""

_WHOLE = re.compile(
    r"\A(?:Thought: (?P<thought>.*)\n)?Action: (?P<tool>[^\n]*)\nAction Input: (?P<input>[^\n]*)\Z",
    re.DOTALL,
)


def write(action: Action) -> str:
    """Return a call as the assistant's message."""
    thought = action.thought
    if not is_plain(thought) or has_labels(thought):
        thought = json.dumps(thought, ensure_ascii=False)
    before = f"Thought: {thought}\n" if thought else ""
    return f"{before}Action: {_quoted(action.tool)}\nAction Input: {compact(action.arguments)}"


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


read = Reader(_exact, LABELS_FIRST, find_labelled, _lost)
"""Returns the action in a reply, or a malformed action."""


TEMPLATE = Text(
    "react",
    system_with(FORMAT),
    lines,
    write,
    read,
    "Observation: {}".format,
    stop=("\nObservation:",),
)

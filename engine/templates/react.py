"""Tool calls as text: ReAct (Yao et al. 2022, arXiv:2210.03629), for models without tool calling.

    Thought: I should look at the tables.
    Action: describe_table
    Action Input: {"table": "loans"}

The arguments are one line of JSON, which cannot contain a line break, so the last two lines are
always the call, whatever the thought contains. A tool name that does not fit on a line (a policy
may call tools that do not exist) is written as a JSON string.
"""

import json
import re

from engine.templates.dialects import lines
from engine.templates.openai_format import compact, first_json, object_of
from engine.templates.text import Text, system_with
from environments.types import Action

FORMAT = """\
Answer with one call at a time, in exactly this form:
Thought: why you make the call
Action: the name of a tool
Action Input: its arguments as one line of JSON

Tools:
{tools}"""

_CALL = re.compile(
    r"\A(?:Thought: ?(?P<thought>.*)\n)?Action: ?(?P<tool>[^\n]*)\nAction Input: ?(?P<input>.*)\Z",
    re.DOTALL,
)
_WHOLE = re.compile(
    r"\A(?:Thought: (?P<thought>.*)\n)?Action: (?P<tool>[^\n]*)\nAction Input: (?P<input>[^\n]*)\Z",
    re.DOTALL,
)


def write(action: Action) -> str:
    """Return a call as the assistant's message."""
    thought = f"Thought: {action.thought}\n" if action.thought else ""
    return f"{thought}Action: {_quoted(action.tool)}\nAction Input: {compact(action.arguments)}"


def read(reply: str) -> Action:
    """Return the action in a reply, or a malformed action."""
    # First the form that `write` produces; else as models write it, with spaces or more text.
    found = _WHOLE.match(reply) or _CALL.match(reply.strip())
    if found is None:
        return Action.malformed(reply, "no call was found; end with Action: and Action Input:")
    tool = _unquoted(found["tool"])
    if not tool:
        return Action.malformed(reply, "Action: names no tool")
    value, error = first_json(found["input"])
    arguments, error = ({}, error) if error else object_of(value)
    if error:
        return Action.malformed(reply, error)
    return Action(tool, arguments, found["thought"] or "")


def _quoted(tool: str) -> str:
    plain = tool == tool.strip() and "\n" not in tool and not tool.startswith('"')
    return tool if plain else json.dumps(tool, ensure_ascii=False)


def _unquoted(text: str) -> str:
    text = text.strip()
    if text.startswith('"'):
        try:
            found = json.loads(text)
        except ValueError:
            return text
        return found if isinstance(found, str) else text
    return text


TEMPLATE = Text(
    "react",
    system_with(FORMAT),
    lines,
    write,
    read,
    "Observation: {}".format,
    stop=("\nObservation:",),
)

"""AutoGPT's format: the whole reply is one JSON object of thoughts and a command.

    {"thoughts": {"text": "I should look."}, "command": {"name": "look", "args": {"at": "x"}}}

AutoGPT has further thoughts (reasoning, plan, criticism, speak). If a model writes them, they
become lines of the thought; a rendered reply has only "text".
"""

import json

from engine.templates import dialects
from engine.templates.reading.json_calls import Call, find_object
from engine.templates.reading.json_text import NotJson, read_json
from engine.templates.reading.reader import OBJECT_FIRST, Reader
from engine.templates.text import Text, system_with
from environments.types import Action

FORMAT = """\
Commands:
{tools}

Answer with one command at a time, and with nothing but JSON in this form:
{{
    "thoughts": {{
        "text": "thought"
    }},
    "command": {{
        "name": "command name",
        "args": {{
            "arg name": "value"
        }}
    }}
}}"""


def write(action: Action) -> str:
    """Return a call as the assistant's message."""
    command = {"name": action.tool, "args": dict(action.arguments)}
    return json.dumps(
        {"thoughts": {"text": action.thought}, "command": command}, ensure_ascii=False, indent=4
    )


def _exact(reply: str) -> Call | None:
    """Return the call in a reply as `write` writes it."""
    try:
        found = read_json(reply)
    except NotJson:
        return None
    if found.repaired or found.end != len(reply):
        return None
    match found.value:
        case {
            "thoughts": {"text": str(thought)},
            "command": {"name": str(name), "args": dict(args)},
        }:
            whole = len(found.value) == 2 and len(found.value["thoughts"]) == 1
            return Call(name, args, thought) if whole and len(found.value["command"]) == 2 else None
    return None


def _lost(reply: str) -> str:
    start = reply.find("{")
    if start < 0:
        return "no JSON was found; answer with one JSON object"
    try:
        found = read_json(reply[start:])
    except NotJson as error:
        return f"the call is {error}"
    if found.missing:
        return "the call is not valid JSON (it stops before its end)"
    return 'the JSON holds no "command" with "name" and "args"'


read = Reader(_exact, OBJECT_FIRST, find_object, _lost)
"""Returns the action in a reply, or a malformed action."""


TEMPLATE = Text(
    "autogpt", system_with(FORMAT), dialects.autogpt, write, read, "Command returned: {}".format
)

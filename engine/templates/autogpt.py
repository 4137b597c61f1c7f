"""AutoGPT's format: the whole reply is one JSON object of thoughts and a command.

    {"thoughts": {"text": "I should look."}, "command": {"name": "look", "args": {"at": "x"}}}

AutoGPT has further thoughts (reasoning, plan, criticism, speak). If a model writes them, they
become lines of the thought; a rendered reply has only "text".
"""

import json
from typing import Any

from engine.templates import dialects
from engine.templates.openai_format import action_from_call, first_json
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


def read(reply: str) -> Action:
    """Return the action in a reply, or a malformed action."""
    start = reply.find("{")
    if start < 0:
        return Action.malformed(reply, "no JSON was found; answer with one JSON object")
    value, error = first_json(reply[start:])
    if error:
        return Action.malformed(reply, error)
    command = value.get("command") if isinstance(value, dict) else None
    if not isinstance(command, dict):
        return Action.malformed(reply, 'the JSON holds no "command" with "name" and "args"')
    return action_from_call(reply, command, ("name", "args", ""), _thought(value.get("thoughts")))


def _thought(thoughts: Any) -> str:
    if isinstance(thoughts, str):
        return thoughts
    if not isinstance(thoughts, dict):
        return ""
    return "\n".join(str(thought) for thought in thoughts.values() if thought)


TEMPLATE = Text(
    "autogpt", system_with(FORMAT), dialects.autogpt, write, read, "Command returned: {}".format
)

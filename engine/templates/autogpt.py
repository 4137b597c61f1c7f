r"""AutoGPT's prompt and format: the whole reply is one JSON object of thoughts and a command.

    {"thoughts": {"text": "I should look.", "reasoning": "", "plan": "- look\n- answer",
     "criticism": "", "speak": ""}, "command": {"name": "look", "args": {"at": "x"}}}

The five thoughts are lines of an action's one thought: the text, then "Reasoning: ...",
"Plan: ...", "Criticism: ..." and "Speak: ...", of those that say anything. A thought with such
lines is written as these thoughts again.
"""

import json
import re
from collections.abc import Sequence

from engine.templates import dialects
from engine.templates.parts import Parts, words
from engine.templates.reading.json_calls import LABELLED, Call, find_object, lines_of
from engine.templates.reading.json_text import NotJson, read_json, whole_json
from engine.templates.reading.reader import OBJECT_FIRST, Reader
from engine.templates.text import Text
from environments.tools import Tool
from environments.types import Action

THOUGHTS = ("text", *LABELLED)

_PROFILE = """\
You are an agent that solves the task that the user gives.
Your decisions must always be made independently without seeking user assistance. Play to your \
strengths as an LLM and pursue simple strategies."""

_CONSTRAINTS = """\
Constraints:
1. Your short term memory is this conversation: what you need later must be in it.
2. If you are unsure how you did something before, look at what you did in this conversation.
3. No user assistance
4. Exclusively use the commands listed below e.g. command_name

$instructions"""

_TOOLS = """\
Commands:
$tools

Resources:
1. The commands above, and nothing else.
2. The results of your earlier commands.

Best Practices (Performance Evaluation):
1. Continuously review and analyze your actions to ensure you are performing to the best of your \
abilities.
2. Constructively self-criticize your big-picture behavior constantly.
3. Reflect on past decisions and strategies to refine your approach.
4. Every command has a cost, so be smart and efficient. Aim to complete tasks in the least number \
of steps."""

_FORMAT = """\
You should only respond in JSON format as described below
Response Format:
{
    "thoughts": {
        "text": "thought",
        "reasoning": "reasoning",
        "plan": "- short bulleted\\n- list that conveys\\n- long-term plan",
        "criticism": "constructive self-criticism",
        "speak": "thoughts summary to say to user"
    },
    "command": {
        "name": "command name",
        "args": {
            "arg name": "value"
        }
    }
}
Ensure the response can be parsed by Python json.loads"""

_GOAL = """\
GOALS:
1. $prompt

Determine which next command to use, and respond using the format specified above:"""

_LABEL = re.compile(rf"^({'|'.join(LABELLED.values())}): ", re.MULTILINE)
_KEYS = {label: key for key, label in LABELLED.items()}


def write(action: Action, tools: Sequence[Tool] = ()) -> str:
    """Return a call as the assistant's message."""
    command = {"name": action.tool, "args": dict(action.arguments)}
    reply = {"thoughts": thoughts_of(action.thought), "command": command}
    return json.dumps(reply, ensure_ascii=False, indent=4)


def thoughts_of(thought: str) -> dict[str, str]:
    """Return the five thoughts that are lines of `thought`; "" where it has none."""
    nothing = dict.fromkeys(THOUGHTS, "")
    text, *labelled = _LABEL.split(thought)
    said = [text.removesuffix("\n"), *(each.removesuffix("\n") for each in labelled[1::2])]
    found = dict(zip(["text", *(_KEYS[label] for label in labelled[::2])], said, strict=True))
    parted = nothing | found
    return parted if lines_of(parted) == thought else nothing | {"text": thought}


def _exact(reply: str) -> Call | None:
    """Return the call in a reply as `write` writes it."""
    match value := whole_json(reply):
        case {"thoughts": {"text": str()} as thoughts, "command": dict() as command}:
            whole = len(value) == 2 and command.keys() == {"name", "args"}
            right = all(isinstance(said, str) for said in thoughts.values())
            if not (whole and right and thoughts.keys() <= set(THOUGHTS)):
                return None
            name, args = command["name"], command["args"]
            typed = isinstance(name, str) and isinstance(args, dict)
            return Call(name, args, lines_of(thoughts)) if typed else None
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
    "autogpt",
    Parts(
        profile=words(_PROFILE),
        instruction=words(_CONSTRAINTS),
        tools=words(_TOOLS),
        goal=words(_GOAL),
        format=words(_FORMAT),
    ),
    dialects.autogpt,
    write,
    read,
    "Command returned: {}".format,
)

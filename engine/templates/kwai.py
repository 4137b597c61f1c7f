"""KwaiAgents' two phases (Pan et al. 2023, arXiv:2312.04889; KAgentSys): plan, then conclude.

    {"task_name": "Find the table.", "command": {"name": "list_tables", "args": {}}}

Each request is one prompt that holds the completed tasks. `task_complete` ends the plan; the
conclude prompt then asks for the answer in words. See `phases`.
"""

import json
from collections.abc import Sequence

from engine.templates import phases
from engine.templates.openai_format import function
from engine.templates.parts import Parts, Values, tasks_as_json, words
from engine.templates.reading.json_calls import Call, find_object
from engine.templates.reading.json_text import whole_json
from engine.templates.reading.reader import OBJECT_FIRST, Reader
from engine.templates.text import Text
from environments.tools import Tool
from environments.types import Action

_ORDER = ("profile", "instruction", "tools", "memory", "goal", "format")

_PROFILE = "You are an AI assistant. You can help people solve their problems."

_RULES = """\
You should follow these instructions:
$instructions"""

_PLAN = f"""\
{_RULES}

Currently, you are in the task planning phase: you are given a goal. Your decisions are carried \
out without the help of people, so plan with the strengths of an LLM and with efficient strategies.
1. Your short-term memory is what this prompt holds.
2. You do not need the help of users.
3. Plan with the commands listed below.
4. Stay humble: if you are unsure, use a command; but use few, and none twice.
5. If you can conclude from what is already known, complete the task.
6. Criticize yourself constructively, and reflect on past decisions to improve your approach.
7. If the completed tasks do not give what the goal needs, go on planning, but repeat no task."""

_FORMAT = """\
Based on the goal and the existing tasks, plan a new Task (no repetitions), and generate the Task \
only in the following json format:
{
    "task_name": "task description",
    "command":{
        "name":"command name",
        "args":{
            "arg name":"value"
        }
    }
}
Ensure that the Task can be parsed by Python's json.loads function.
"""

_END = """
If the already completed Tasks are enough to answer the goal, generate the Task task_complete. \
Otherwise, create another Task."""

_CONCLUDE = """\
The current stage is the concluding stage. You have already found information for the goal. \
Integrate it and give the final conclusion.
1. The information comes from several commands and may be redundant.
2. If information conflicts, prefer Knowledge info, then the more direct result."""

_ANSWER = """\
What is needed as the answer: $answer
Write only the answer:"""


def commands(tools: Sequence[Tool]) -> str:
    """Describe tools as numbered function objects, as KwaiAgents lists its commands."""
    listed = (json.dumps(function(tool)["function"], ensure_ascii=False) for tool in tools)
    return "\n".join(f"{number}:{tool}" for number, tool in enumerate(listed, 1))


def write(action: Action, tools: Sequence[Tool] = ()) -> str:
    """Return a call as the assistant's message."""
    command = {"name": action.tool, "args": dict(action.arguments)}
    task = {"task_name": action.thought, "command": command}
    return json.dumps(task, ensure_ascii=False, indent=4)


def _exact(reply: str) -> Call | None:
    """Return the call in a reply as `write` writes it."""
    match value := whole_json(reply):
        case {"task_name": str(task), "command": {"name": str(name), "args": dict(args)}}:
            whole = len(value) == 2 and len(value["command"]) == 2
            return Call(name, args, task) if whole else None
    return None


def _format(values: Values) -> str:
    return words(f"{_FORMAT}{_END if values['answer'] else ''}\nA new Task:")(values)


read = Reader(
    _exact,
    OBJECT_FIRST,
    find_object,
    lambda _: 'no Task was found; answer with one JSON object with "task_name" and "command"',
)
"""Returns the action in a reply, or a malformed action."""

TEMPLATE = Text(
    "kwai",
    Parts(
        profile=words(_PROFILE),
        instruction=words(_PLAN),
        tools=words("Commands:\n$tools"),
        goal=words("GOAL:$prompt"),
        memory=tasks_as_json,
        format=_format,
        order=_ORDER,
    ),
    commands,
    write,
    read,
    "Result: {}".format,
    phases.offered,
    memory="prompt",
    conclude=Parts(
        profile=words(f"{_PROFILE}\n{_RULES}"),
        instruction=words(_CONCLUDE),
        tools=words(""),
        goal=words("Goal: $prompt"),
        memory=tasks_as_json,
        format=words(_ANSWER),
        order=_ORDER,
    ),
)

"""Tool calls as text: ReAct (Yao et al. 2022, arXiv:2210.03629), for models without tool calling.

    Thought: I should look at the tables.
    Action: describe_table
    Action Input: {"table": "loans"}

The observation comes back as a user message. The arguments are one line of JSON, which cannot
hold a line break of its own; so the last two lines are the call, whatever the thought says.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from engine.templates.base import Message, World
from engine.templates.wire import arguments_of, compact
from environments.types import Action, Step, Task

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


class React:
    """Thought, Action, Action Input as text."""

    name = "react"
    stop: tuple[str, ...] = ("\nObservation:",)

    def render(self, world: World, task: Task, path: Sequence[Step]) -> list[Message]:
        tools = "\n".join(
            f"- {tool.name}: {tool.description} Arguments: {_signature(tool.parameters)}"
            for tool in world.tools
        )
        system = f"{world.instructions}\n\n{FORMAT.format(tools=tools)}".strip()
        messages: list[Message] = [
            {"role": "system", "content": system},
            {"role": "user", "content": task.prompt},
        ]
        for step in path:
            messages.append({"role": "assistant", "content": _text(step.action)})
            messages.append({"role": "user", "content": f"Observation: {step.observation}"})
        return messages

    def tools(self, world: World) -> list[dict[str, Any]]:
        return []

    def parse(self, message: Message) -> Action:
        reply = message.get("content") or ""
        # First as it is rendered; else as models write it, with blanks, or more after the call.
        found = _WHOLE.match(reply) or _CALL.match(reply.strip())
        if found is None:
            return Action.malformed(reply, "no call was found; end with Action: and Action Input:")
        tool, thought = found["tool"], found["thought"] or ""
        if not tool.strip():
            return Action.malformed(reply, "Action: names no tool")
        arguments, error = arguments_of(_first_object(found["input"]))
        if error:
            return Action.malformed(reply, error)
        return Action(tool if _WHOLE.match(reply) else tool.strip(), arguments, thought)


def _text(action: Action) -> str:
    if not action.tool:
        return action.thought
    thought = f"Thought: {action.thought}\n" if action.thought else ""
    return f"{thought}Action: {action.tool}\nAction Input: {compact(action.arguments)}"


def _first_object(text: str) -> str:
    """The first JSON value in `text`, without what a model wrote after it."""
    text = text.strip()
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return text
    return text[:end]


def _signature(parameters: Any) -> str:
    """The properties of a schema in one line: {"table": string, "limit": integer}."""
    kinds = (
        f'"{name}": {schema.get("type", "any")}'
        for name, schema in parameters.get("properties", {}).items()
    )
    return "{" + ", ".join(kinds) + "}"

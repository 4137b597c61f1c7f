"""What a model is asked: for a thought, and which call follows one."""

import json
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from engine.templates.base import Message, World
from environments.tools import Tool
from environments.types import Action, Step, Task

WRITE = (
    "You write down what an agent thinks. You are given its rules, its tools, its task, what it "
    "has done and seen so far, and its next call. Write the thought that leads to that call: one "
    "to three sentences in the first person, that say what is known by now, what is still needed, "
    "and why this call is next. Mention only what the text shows: no other name, number or value, "
    "and nothing that the call will return. Reply with the thought alone."
)
FOLLOW = (
    "You are given an agent's rules, its tools, its task, what it has done and seen so far, and "
    'what it thinks now. Reply with the call that follows, as one JSON object {"tool": name, '
    '"arguments": object}, and nothing else.'
)
LONGEST = 1000
"""Characters of a thought at most."""
ALIKE = 0.6
"""Least similarity of long texts, as of two queries, that are taken for the same (difflib)."""
SHORT = 40
"""Characters of a text up to which two must be equal."""


def ask_for_thought(
    world: World, task: Task, path: Sequence[Step], action: Action, wrong: str
) -> list[Message]:
    """Return the messages that ask for a thought; `wrong` says what the last one got wrong."""
    again = f"\n\nYour thought before was refused: {wrong}. Write another one." if wrong else ""
    text = f"{transcript(world, task, path)}\n\nNext call: {call_text(action)}{again}"
    return [{"role": "system", "content": WRITE}, {"role": "user", "content": text}]


def ask_what_follows(world: World, task: Task, path: Sequence[Step], thought: str) -> list[Message]:
    """Return the messages that ask which call follows a thought."""
    text = f"{transcript(world, task, path)}\n\nThought: {thought}\n\nNext call:"
    return [{"role": "system", "content": FOLLOW}, {"role": "user", "content": text}]


def transcript(world: World, task: Task, path: Sequence[Step]) -> str:
    """Return all that the agent has been told and has seen, without its thoughts."""
    told = world.of(task)
    parts = [f"Rules: {told.instructions}", f"Tools:\n{_tools(told.tools)}", f"Task: {task.prompt}"]
    for number, step in enumerate(path, 1):
        parts.append(f"Call {number}: {call_text(step.action)}\nSeen: {step.observation}")
    return "\n\n".join(parts)


def call_text(action: Action) -> str:
    """Return a call as JSON."""
    call = {"tool": action.tool, "arguments": dict(action.arguments)}
    return json.dumps(call, ensure_ascii=False)


def thought_in(reply: str) -> str:
    """Return the thought in a reply, on one line and without the word "Thought:"."""
    text = " ".join(reply.split())
    text = re.sub(r"^\**thought\**\s*:\**\s*", "", text, flags=re.IGNORECASE)
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1].strip() if quoted else text


def call_in(reply: str) -> Action | None:
    """Return the call in a reply; None if there is none."""
    start, end = reply.find("{"), reply.rfind("}")
    try:
        found = json.loads(reply[start : end + 1])
        return Action(str(found["tool"]), dict(found.get("arguments") or {}))
    except (ValueError, KeyError, TypeError):
        return None


def same_call(one: Action, other: Action | None) -> bool:
    """Return whether two calls do the same: equal tools, and equal arguments.

    Case and blanks do not count. Long texts, such as two queries, need only be alike.
    """
    if other is None or one.tool != other.tool or one.arguments.keys() != other.arguments.keys():
        return False
    return all(_same(value, other.arguments[name]) for name, value in one.arguments.items())


def _same(one: Any, other: Any) -> bool:
    first, second = (" ".join(_text(value).casefold().split()) for value in (one, other))
    if first == second or len(first) <= SHORT:
        return first == second
    return SequenceMatcher(None, first, second, autojunk=False).ratio() >= ALIKE


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _tools(tools: Sequence[Tool]) -> str:
    return "\n".join(
        f"{tool.name}: {tool.description} {json.dumps(tool.parameters, ensure_ascii=False)}"
        for tool in tools
    )

"""Thoughts in a conversation, made by rule: what the user asks for, and what a call returned."""

from collections.abc import Sequence

from environments.bfcl.tools import ADDED
from environments.thoughts import (
    after_error,
    goal_of,
    listed,
    plain_thought,
    shortened,
    value_text,
)
from environments.tools import GIVE_UP, SAY
from environments.types import Action, Step, Task


def thought(task: Task, path: Sequence[Step], action: Action) -> str:
    """Return the thought before a step; see `Demonstrable.thought`."""
    if not action.tool or action.tool == GIVE_UP.name:
        return plain_thought(task, path, action)
    asked = f"The user says: {goal_of(_request(task, path))}"
    if action.tool == SAY.name:
        return f"{asked} {_last(path)}I speak to the user."
    name, arguments = action.tool, action.arguments
    if name == ADDED.name:
        name, arguments = str(arguments.get("name")), arguments.get("arguments") or {}
    given = listed(f"{key} {value_text(value)}" for key, value in arguments.items())
    return f"{asked} {_last(path)}I call {name}{' with ' if given else ''}{given}."


def _request(task: Task, path: Sequence[Step]) -> str:
    """Return what the user said last."""
    said = [step.observation for step in path if step.action.tool == SAY.name]
    return said[-1] if said else task.prompt


def _last(path: Sequence[Step]) -> str:
    """Return what the last call returned, if it was of this turn."""
    if not path or path[-1].action.tool == SAY.name:
        return ""
    if path[-1].info.get("error"):
        return after_error(path)
    return f"The last call returned {shortened(path[-1].observation, 80)}. "

"""Thoughts about pages, made by rule: which element the page shows, and what was asked for."""

from collections.abc import Sequence

from environments.thoughts import (
    after_error,
    argument,
    first_line,
    goal_of,
    plain_thought,
    shared_words,
    told_by,
)
from environments.types import Action, Step, Task


def thought(task: Task, path: Sequence[Step], action: Action) -> str:
    """Return the thought before a step; see `Demonstrable.thought`."""
    name, role = argument(action, "name"), argument(action, "role") or "field"
    match action.tool:
        case "click":
            why = _why(task, path, name)
            return f"{after_error(path)}{why}I click the {role} '{name}'."
        case "type":
            text = argument(action, "text")
            return f"{after_error(path)}The field '{name}' takes what is asked for: {text}."
        case "select":
            option = argument(action, "option")
            return f"{after_error(path)}The right choice of '{name}' is {option}."
        case "back":
            place = first_line(path[-1].observation) if path else ""
            return f"{place} does not help; I go back." if place else "I go back."
        case "finish":
            return after_error(path) + told_by(
                goal_of(task.prompt), path, argument(action, "answer")
            )
    return plain_thought(task, path, action)


def _why(task: Task, path: Sequence[Step], name: str) -> str:
    if words := shared_words(task.prompt, name):
        return f"The task speaks of {' '.join(words)}. "
    return "" if path else f"The task: {goal_of(task.prompt)} "

"""Thoughts about calls of services, made by rule: pages left, values seen, and errors."""

import json
from collections.abc import Sequence
from typing import Any

from environments.thoughts import (
    after_error,
    argument,
    goal_of,
    listed,
    plain_thought,
    told_by,
    value_text,
)
from environments.types import Action, Step, Task


def thought(task: Task, path: Sequence[Step], action: Action) -> str:
    """Return the thought before a step; see `Demonstrable.thought`."""
    if not action.tool or action.tool == "give_up":
        return plain_thought(task, path, action)
    if action.tool == "Finish":
        return after_error(path) + told_by(_request(task), path, argument(action, "final_answer"))
    asked = "" if path else f"The request: {_request(task)} "
    values = [
        f"{name} {value_text(value)}" for name, value in action.arguments.items() if name != "page"
    ]
    given = f" for {listed(values)}" if values else ""
    words = action.tool.replace("_", " ")
    return f"{asked}{_last(path)}I use {words}{given}{_page(action)}."


def _request(task: Task) -> str:
    """Return what is asked for, without the day that is told before it."""
    first, _, rest = task.prompt.partition(". ")
    return goal_of(rest if first.startswith("Today is") and rest else task.prompt)


def _page(action: Action) -> str:
    return f", page {action.arguments['page']}" if "page" in action.arguments else ""


def _last(path: Sequence[Step]) -> str:
    """Return what the last reply said: an error, or that there are more pages."""
    reply = _reply(path)
    if error := reply.get("error"):
        return f"The last reply has the error: {error}. "
    response = reply.get("response")
    if isinstance(response, dict) and response.get("pages", 1) != response.get("page", 1):
        return f"That was page {response.get('page')} of {response.get('pages')}. "
    return after_error(path)


def _reply(path: Sequence[Step]) -> dict[str, Any]:
    try:
        found = json.loads(path[-1].observation) if path else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

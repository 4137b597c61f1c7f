"""Thoughts about pages, made by rule: what the last page said, and what is still to be read."""

from collections.abc import Sequence

from environments.thoughts import (
    after_error,
    argument,
    first_line,
    goal_of,
    line_with,
    plain_thought,
    shortened,
    told_by,
)
from environments.types import Action, Step, Task

_PAGE = "Page: "


def thought(task: Task, path: Sequence[Step], action: Action) -> str:
    """Return the thought before a step; see `Demonstrable.thought`."""
    match action.tool:
        case "search":
            query = argument(action, "query")
            start = _read(path) or f"The question: {goal_of(task.prompt)} "
            return f"{after_error(path)}{start}{_why(task, path, query)}"
        case "lookup":
            page, text = _page(path), argument(action, "text")
            where = f"The page {page}" if page else "The page"
            return f"{after_error(path)}{where} may say more about '{text}'; I look it up."
        case "finish":
            answer = argument(action, "answer")
            if answer.casefold() in ("yes", "no"):
                return f"{_read(path)}The question: {goal_of(task.prompt)} So: {answer}."
            return told_by(goal_of(task.prompt), path, answer)
    return plain_thought(task, path, action)


def _why(task: Task, path: Sequence[Step], query: str) -> str:
    if query == task.prompt:
        return "I search for the question's own words."
    if query.casefold() in task.prompt.casefold():
        return f"The question names {query}; I search for it."
    line = line_with(path, query)
    return f"A page names {query}: '{line}'. I search for it." if line else f"I search for {query}."


def _read(path: Sequence[Step]) -> str:
    """Return the first thing that the last observation said."""
    if not path or path[-1].info.get("error"):
        return ""
    lines = path[-1].observation.splitlines()
    said = lines[1] if lines[0].startswith(_PAGE) and len(lines) > 1 else first_line(lines[0])
    return f"I have read: {goal_of(shortened(said, 160))} "


def _page(path: Sequence[Step]) -> str:
    """Return the title of the page that is open."""
    shown = (step.observation.splitlines()[0] for step in reversed(path) if step.observation)
    return next((line.removeprefix(_PAGE) for line in shown if line.startswith(_PAGE)), "")

"""Thoughts made by rule: plain sentences before an action, from what the agent has seen so far.

A rule reads the task's prompt, the steps so far and the action. It never reads `Task.secret` or
`Task.details`, so a thought cannot tell what the agent does not know, and right and wrong actions
get thoughts of the same form.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from environments.tools import GIVE_UP, SAY
from environments.types import Action, Step, Task

LONGEST_GOAL = 160
"""Characters of a task that a thought repeats."""
LONGEST_VALUE = 60
"""Characters of an argument or a result that a thought names."""

_AROUND = 60
"""Characters before and after a text that a thought repeats with it."""
_COMMON = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "is", "of", "on", "the", "to")
)
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z0-9\"'])")


def plain_thought(task: Task, path: Sequence[Step], action: Action) -> str:
    """Return a sentence about a call, of any world: its tool, its arguments, and at first the goal.

    A malformed action has no thought but itself.
    """
    if not action.tool:
        return action.thought
    if action.tool == GIVE_UP.name:
        return gives_up(path)
    if action.tool == SAY.name:
        return "I can tell the user now."
    start = "" if path else f"The task: {goal_of(task.prompt)} "
    given = listed(f"{name} {value_text(value)}" for name, value in action.arguments.items())
    return f"{start}{after_error(path)}I call {action.tool}{' with ' if given else ''}{given}."


def gives_up(path: Sequence[Step]) -> str:
    """Return a thought before giving up."""
    tried = listed(dict.fromkeys(step.action.tool for step in path if step.action.tool))
    return f"I tried {tried}, and see no way to the goal: I give up." if tried else "I see no way."


def after_error(path: Sequence[Step]) -> str:
    """Return a sentence about the step before, if it went wrong; else ""."""
    if not path or not path[-1].info.get("error"):
        return ""
    told = shortened(first_line(path[-1].observation), 100).rstrip(".")
    return f"The last call failed: {told}. "


def goal_of(prompt: str) -> str:
    """Return the first question of a task, else its first sentence, with an end."""
    sentences = _SENTENCE.split(" ".join(prompt.split()))
    asked = next((each for each in sentences if each.endswith("?")), sentences[0])
    goal = shortened(asked, LONGEST_GOAL)
    return goal if goal.endswith((".", "?", "!")) else f"{goal}."


def first_line(text: str) -> str:
    """Return the first line of a text that is not empty."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters, cut between words where that is possible."""
    if len(text) <= most:
        return text
    cut = text[: most - 3]
    return f"{cut.rpartition(' ')[0] or cut}..."


def value_text(value: Any) -> str:
    """Return an argument's value on one line, shortened."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = shortened(" ".join(text.split()), LONGEST_VALUE)
    return f"'{text}'" if isinstance(value, str) else text


def listed(items: Iterable[str], last: str = "and") -> str:
    """Return "a, b and c"."""
    found = list(items)
    if len(found) < 2:
        return "".join(found)
    return f"{', '.join(found[:-1])} {last} {found[-1]}"


def argument(action: Action, name: str) -> str:
    """Return an argument that is text; "" if there is none."""
    value = action.arguments.get(name)
    return value if isinstance(value, str) else ""


def shared_words(text: str, name: str) -> list[str]:
    """Return the words of `text` that occur in `name`, be it in the plural, in their order."""
    parts = {_stem(part) for part in re.findall(r"[^\W_]+", spaced(name).lower())} - _COMMON
    words = re.findall(r"[^\W_]+", text)
    return list(dict.fromkeys(word for word in words if _stem(word.lower()) in parts))


def spaced(name: str) -> str:
    """Return a name such as "releaseYear" in words of its own."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def line_with(path: Sequence[Step], text: str) -> str:
    """Return the last line of an observation that holds `text`, shortened; "" if none does."""
    wanted = text.strip().casefold()
    if not wanted:
        return ""
    for step in reversed(path):
        for line in step.observation.splitlines():
            at = line.casefold().find(wanted)
            if at >= 0:
                start = line.rfind(" ", 0, max(0, at - _AROUND)) + 1
                return shortened(line[start:].strip(" -:"), 2 * _AROUND)
    return ""


def told_by(goal: str, path: Sequence[Step], text: str) -> str:
    """Return a thought before an answer: where its text was seen, and what was asked for."""
    shown = text.strip()
    if not shown:
        return f"It is done. I was asked: {goal}"
    line = line_with(path, shown)
    seen = f"I have seen '{line}'" if line else "No text that I have seen holds my answer"
    answer = shortened(shown, LONGEST_VALUE)
    return f"{seen}. I was asked: {goal} My answer is {answer}."

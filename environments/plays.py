"""Play actions on a task, and compare what two plays returned."""

import json
from collections.abc import Sequence
from typing import Any

from environments.base import ToolEnv
from environments.contract import held
from environments.types import Action, Step, Task

SHOWN = 60
"""Characters of an observation that a difference shows, from where it begins."""
LONGEST_CALL = 80
"""Characters of a call in a message."""


def take(env: ToolEnv, action: Action) -> Step:
    """Play `action`; the step keeps nothing that the environment could change later."""
    observation, reward, terminated, truncated, info = held(env, "step", env.step(action))
    return Step(action, observation, reward, terminated, truncated, json.loads(json.dumps(info)))


def play(env: ToolEnv, task: Task, actions: Sequence[Action]) -> list[Step]:
    """Start `task` and play `actions` until it is over; return the steps."""
    env.reset(options={"task": task})
    return play_on(env, actions)


def play_on(env: ToolEnv, actions: Sequence[Action]) -> list[Step]:
    """Play `actions` from the current state until the task is over; return the steps."""
    steps: list[Step] = []
    for action in actions:
        steps.append(take(env, action))
        if steps[-1].ended:
            break
    return steps


def difference(wanted: Step, found: Step) -> str:
    """Return in words what `found` returned instead of what `wanted` did; "" if the same."""
    for name, before, now in zip(_NAMES, _returned(wanted), _returned(found), strict=True):
        if before != now:
            before, now = _from_where_they_differ(before, now)
            return f"{name} {now} instead of {before}"
    return ""


def first_difference(wanted: Sequence[Step], found: Sequence[Step]) -> tuple[int, str] | None:
    """Return the index and the words of the first difference of two plays, None if the same."""
    for at, (before, now) in enumerate(zip(wanted, found, strict=False)):
        if words := difference(before, now):
            return at, words
    if len(wanted) != len(found):
        short = min(len(wanted), len(found))
        return short - 1, "the end of the task" if len(found) == short else "no end of the task"
    return None


def call_text(action: Action) -> str:
    """Return a call in short, for messages."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in action.arguments.items())
    text = f"{action.tool}({arguments})"
    return text if len(text) <= LONGEST_CALL else f"{text[: LONGEST_CALL - 1]}…"


_NAMES = ("observation", "reward", "terminated", "truncated", "info")


def _returned(step: Step) -> tuple[Any, ...]:
    return step.observation, step.reward, step.terminated, step.truncated, dict(step.info)


def _from_where_they_differ(before: Any, now: Any) -> tuple[str, str]:
    """Return both as short texts, without a long beginning that they share."""
    texts = [each if isinstance(each, str) else json.dumps(each) for each in (before, now)]
    pairs = zip(*texts, strict=False)
    same = next((at for at, (a, b) in enumerate(pairs) if a != b), min(map(len, texts)))
    start = max(0, same - SHOWN // 3)
    first, second = (_excerpt(text, start) for text in texts)
    return first, second


def _excerpt(text: str, start: int) -> str:
    left = "..." if start else ""
    right = "..." if len(text) > start + SHOWN else ""
    return repr(left + text[start : start + SHOWN] + right)

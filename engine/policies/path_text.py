"""A path as text for judges, without the reward and the solution."""

import json
from collections.abc import Sequence

from environments.types import Step

_LONGEST = 2000  # characters of an observation, and of a malformed reply


def path_text(path: Sequence[Step]) -> str:
    """Return the steps of a path, numbered."""
    return "\n\n".join(f"Step {number}\n{_step(step)}" for number, step in enumerate(path, 1))


def _step(step: Step) -> str:
    action = step.action
    if not action.tool:
        return f"Reply that is no call: {_cut(action.thought)}\nObservation: {_seen(step)}"
    arguments = json.dumps(dict(action.arguments), ensure_ascii=False)
    thought = f"Thought: {_cut(action.thought)}\n" if action.thought else ""
    return f"{thought}Call: {action.tool} {_cut(arguments)}\nObservation: {_seen(step)}"


def _seen(step: Step) -> str:
    return _cut(step.observation) or "(nothing)"


def _cut(text: str) -> str:
    left_out = len(text) - _LONGEST
    return text if left_out <= 0 else f"{text[:_LONGEST]} [{left_out} characters left out]"

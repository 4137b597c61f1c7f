"""Thoughts about a graph, made by rule: what a variable holds, and which way the question leads."""

from collections.abc import Sequence

from environments.kg.calls import ARGUMENTS
from environments.thoughts import (
    after_error,
    argument,
    goal_of,
    plain_thought,
    shared_words,
    shortened,
)
from environments.types import Action, Step, Task

_TEXTS = {
    "get_relations": "I need to know which relations lead on from {0}.",
    "get_neighbors": "I follow the relation '{1}' from {0}.",
    "intersection": "I need what is in both {0} and {1}.",
    "get_attributes": "I need to know which attributes {0} can be compared by.",
    "argmax": "I look for the largest {1} in {0}.",
    "argmin": "I look for the smallest {1} in {0}.",
    "count": "I count what {0} holds.",
    "answer": "{0} is my answer.",
}


def thought(task: Task, path: Sequence[Step], action: Action) -> str:
    """Return the thought before a step; see `Demonstrable.thought`."""
    if action.tool not in _TEXTS:
        return plain_thought(task, path, action)
    given = [argument(action, name) for name in ARGUMENTS.get(action.tool, ("variable",))]
    question = task.prompt.removeprefix("Question:").partition("\nEntities:")[0]
    asked = "" if path and action.tool != "answer" else f"The question: {goal_of(question)} "
    words = shared_words(question, given[1]) if len(given) > 1 else []
    hint = f"The question says {' '.join(words)}. " if words else ""
    text = _TEXTS[action.tool].format(*given)
    return f"{after_error(path)}{asked}{_held(path, given[0])}{hint}{text}"


def _held(path: Sequence[Step], variable: str) -> str:
    """Return what the observations have shown of a variable."""
    start = f"{variable} = "
    for step in reversed(path):
        for line in step.observation.splitlines():
            if line.startswith(start):
                return f"{variable} holds {shortened(line.removeprefix(start), 100)}. "
    return ""

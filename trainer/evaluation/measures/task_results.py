"""What became of a task, in words that need no knowledge of the tree: for the page of a report."""

import json
from dataclasses import dataclass

from environments.types import Step
from search.tree import ROOT, Tree
from trainer.evaluation.measures.error_analysis import error_words

_LONGEST = 240
"""Characters of a prompt and of an answer."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """A task and its best path.

    Attributes:
        prompt: The task's prompt, shortened.
        ending: How the path ended: "solved", "wrong answer", "out of steps".
        answer: The path's last action, shortened; "" if there is none.
        node: Id of the path's last node.
    """

    prompt: str
    ending: str
    answer: str = ""
    node: int = ROOT


def task_result(tree: Tree) -> TaskResult:
    """Return what became of a task: of its paths, the first with the most reward."""
    prompt = _short(tree.task.prompt)
    leaf = max(tree.leaves(), key=lambda leaf: leaf.step.reward, default=None)
    if leaf is None:
        return TaskResult(prompt, f"no path ended ({tree.stopped})" if tree.stopped else "no path")
    step = leaf.step
    return TaskResult(prompt, _ending(step), _short(_answer(step)), leaf.id)


def _ending(step: Step) -> str:
    if step.solved:
        return "solved"
    if step.incomplete:
        return f"the reply was not complete ({step.incomplete})"
    if step.info.get("gave_up"):
        return "gave up"
    if step.info.get("cut") == "depth":
        return "out of steps"
    if error := step.info.get("error"):
        return f"ended with: {error_words(str(error))}"
    if step.terminated:
        return f"partly right (reward {step.reward:g})" if step.reward > 0 else "wrong answer"
    return "did not end"


def _answer(step: Step) -> str:
    action = step.action
    if not action.tool:
        return action.thought
    arguments = list(action.arguments.values())
    if len(arguments) == 1 and isinstance(arguments[0], str):
        return arguments[0]
    return f"{action.tool} {json.dumps(dict(action.arguments), ensure_ascii=False)}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

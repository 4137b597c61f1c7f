"""Trajectories as text for judges, without the run, the reward and the solution."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from engine.runs.store import Store
from environments.types import Step, Task

_LONGEST = 2000  # characters of an observation, and of a malformed reply


@dataclass(frozen=True, slots=True)
class TrajectoryText:
    """A trajectory as people and judges see it.

    Attributes:
        id: 16 hex digits, equal for equal text in any run, so that it is judged once.
        task: Id of the task.
        prompt: The task's prompt.
        text: The steps.
    """

    id: str
    task: str
    prompt: str
    text: str


def trajectories(run: Path) -> Iterator[TrajectoryText]:
    """Yield every ended path of a run, in order of tasks.

    Raises:
        UsageError: There is no run.
    """
    with Store.open(run) as store:
        for tree in store.trees():
            for leaf in tree.leaves():
                yield trajectory_text(tree.task, tree.path(leaf.id))


def trajectory_text(task: Task, path: Sequence[Step]) -> TrajectoryText:
    """Return a path of `task` as text."""
    text = "\n\n".join(f"Step {number}\n{_step(step)}" for number, step in enumerate(path, 1))
    content = json.dumps([task.id, task.prompt, text])
    return TrajectoryText(sha256(content.encode()).hexdigest()[:16], task.id, task.prompt, text)


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

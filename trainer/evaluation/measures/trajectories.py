"""Trajectories as text for whoever judges them, without the run, the reward and the solution."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from engine.runs.store import Store
from environments.types import Step, Task

_LONGEST = 2000  # characters of an observation, and of a reply that is no call


@dataclass(frozen=True, slots=True)
class Shown:
    """id: 16 hex digits, equal for equal text whatever the run: such trajectories are judged once.
    task: its id.   prompt: what was asked.   text: the steps."""

    id: str
    task: str
    prompt: str
    text: str


def trajectories(run: Path) -> Iterator[Shown]:
    """Every ended path of a run, in order of task.

    Raises:
        UsageError: there is no run.
    """
    with Store.open(run) as store:
        for tree in store.trees():
            for leaf in tree.leaves():
                yield shown(tree.task, tree.path(leaf.id))


def shown(task: Task, path: Sequence[Step]) -> Shown:
    """A path of `task` as people and judges see it."""
    text = "\n\n".join(f"Step {number}\n{_step(step)}" for number, step in enumerate(path, 1))
    told = json.dumps([task.id, task.prompt, text])
    return Shown(sha256(told.encode()).hexdigest()[:16], task.id, task.prompt, text)


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

"""Trajectories as text for judges, without the run, the reward and the solution."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from engine.policies.answer_grader import has_answer
from engine.policies.path_text import path_text
from engine.runs.store import Store
from environments.types import Step, Task
from search.tree import Tree


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
    text = path_text(path)
    content = json.dumps([task.id, task.prompt, text])
    return TrajectoryText(sha256(content.encode()).hexdigest()[:16], task.id, task.prompt, text)


def best_path(tree: Tree) -> Sequence[Step]:
    """Return the ended path with most reward, among equals one that was not given up or cut off.

    It is empty if no path ended.
    """
    paths = [tree.path(leaf.id) for leaf in tree.leaves()]
    return max(paths, key=lambda path: (path[-1].reward, has_answer(path)), default=())

"""What a person does in an environment, recorded as a tree: a demonstration.

Undoing a step and acting differently adds a branch, as in a search, so a person's wrong turn and
the right one make a pair. Repeating a step adds nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from engine.config import Config
from engine.runs.explore import claim, locked
from engine.runs.store import Store
from environments import Action, Snapshot, Step, Task, ToolEnv
from search.tree import ROOT, Node, Tree

SOURCE = "human"
"""The provenance of every recorded tree."""


@dataclass(slots=True)
class Recording:
    """One task that a person plays in any environment.

    Attributes:
        env: the environment, at the state of node `at`.
        tree: all steps so far.
        keep: called with the tree whenever a path of it ends.
        at: the current node.
    """

    env: ToolEnv
    tree: Tree
    keep: Callable[[Tree], None]
    at: int = ROOT
    _snapshots: dict[int, Snapshot] = field(default_factory=dict)

    @classmethod
    def start(
        cls, env: ToolEnv, task: Task, keep: Callable[[Tree], None], known: Tree | None = None
    ) -> Self:
        """Start `task`; `known` is an earlier recording of it, which is continued."""
        tree = known or Tree(task, SOURCE)
        tree.task = env.with_tools(task)
        env.reset(options={"task": task})
        return cls(env, tree, keep, _snapshots={ROOT: env.snapshot()})

    @property
    def step(self) -> Step | None:
        """The last step; None at the start."""
        return self.tree.node(self.at).step if self.at != ROOT else None

    @property
    def over(self) -> bool:
        """Whether the last step ended the task."""
        return self.step is not None and self.step.ended

    def play(self, action: Action) -> Step:
        """Act and return the step. An action that the environment rejects is not recorded.

        Raises:
            RuntimeError: the task is over; undo a step first.
        """
        observation, reward, terminated, truncated, info = self.env.step(action)
        step = Step(action, observation, reward, terminated, truncated, info)
        if not info.get("error"):
            self.at = self._node(step).id
            self._snapshots[self.at] = self.env.snapshot()
            if step.ended:
                self.tree.stopped = "solved" if self.tree.solved else "exhausted"
                self.keep(self.tree)
        return step

    def _node(self, step: Step) -> Node:
        known = (n for n in self.tree.children(self.at) if n.step.action.key == step.action.key)
        return next(known, None) or self.tree.add(self.at, step)

    def resume(self) -> None:
        """Bring the environment, which another recording may have used, to the current node."""
        self._go(self.at)

    def undo(self) -> None:
        """Undo the last step; do nothing at the start."""
        if self.at != ROOT:
            self._go(self.tree.node(self.at).parent)

    def restart(self) -> None:
        """Go back to the start."""
        self._go(ROOT)

    def _go(self, node: int) -> None:
        self.at = node
        self.env.restore(self._snapshots[node])


@dataclass(frozen=True, slots=True)
class RecordingStore:
    """Where recordings are kept: a run folder, or nowhere if `run` is None."""

    run: Path | None

    @classmethod
    @contextmanager
    def open(cls, run: Path | None, config: Config, env: ToolEnv) -> Iterator[Self]:
        """Create the run folder or continue it, locked against other processes.

        Raises:
            UsageError: the folder holds a run of another configuration, or another process uses it.
        """
        if run is None:
            yield cls(None)
            return
        with locked(run):
            with Store.create(run) as store:
                claim(store, config, env)
            yield cls(run)

    def keep(self, tree: Tree) -> None:
        """Write `tree`. Opens the store each time: a store belongs to the thread that opened it."""
        if self.run is not None:
            with Store.create(self.run) as store:
                store.add_tree(tree)

    def known(self, task: Task) -> Tree | None:
        """Return the earlier recording of `task`, if any."""
        if self.run is None:
            return None
        with Store.open(self.run) as store:
            return store.tree(task.id) if task.id in store.task_ids() else None

"""What a person does in an environment, kept as a tree: a demonstration.

Going back and acting otherwise branches, as a search does; so a person's wrong turn and the right
one make a pair. Going the same way again adds nothing.
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
"""The provenance of every tree that is recorded here."""


@dataclass(slots=True)
class Recording:
    """One task that a person plays in `env`.

    keep: is given the tree whenever a path of it ends.
    tree: what was done so far.   at: the node where the person is.
    """

    env: ToolEnv
    tree: Tree
    keep: Callable[[Tree], None]
    at: int = ROOT
    _snapshots: dict[int, Snapshot] = field(default_factory=dict)

    @classmethod
    def start(
        cls, env: ToolEnv, task: Task, keep: Callable[[Tree], None], known: Tree | None = None
    ) -> "Recording":
        """At the start of `task`; `known` is what was recorded of it before."""
        tree = known or Tree(task, SOURCE)
        tree.task = task
        env.reset(options={"task": task})
        return cls(env, tree, keep, _snapshots={ROOT: env.snapshot()})

    @property
    def step(self) -> Step | None:
        """The step that led here; None at the start."""
        return self.tree.node(self.at).step if self.at != ROOT else None

    @property
    def over(self) -> bool:
        return self.step is not None and self.step.ended

    def play(self, action: Action) -> Step:
        """Act; a mistake that the environment refuses leaves no trace.

        Raises:
            RuntimeError: the task is over; go back first.
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

    def back(self) -> None:
        """Undo the last step; at the start, nothing."""
        if self.at != ROOT:
            self._go(self.tree.node(self.at).parent)

    def again(self) -> None:
        """Go back to the start."""
        self._go(ROOT)

    def _go(self, node: int) -> None:
        self.at = node
        self.env.restore(self._snapshots[node])


@dataclass(frozen=True, slots=True)
class RecordingStore:
    """Where recordings are kept: a run's folder, or nowhere."""

    run: Path | None

    @classmethod
    @contextmanager
    def open(cls, run: Path | None, config: Config, env: ToolEnv) -> Iterator[Self]:
        """Make the folder this config's, or go on in it; no other process may.

        Raises:
            UsageError: it holds another run, or another process is at work there.
        """
        if run is None:
            yield cls(None)
            return
        with locked(run):
            with Store.create(run) as store:
                claim(store, config, env)
            yield cls(run)

    def keep(self, tree: Tree) -> None:
        """A store is opened for each tree: requests come on threads of their own."""
        if self.run is not None:
            with Store.create(self.run) as store:
                store.add_tree(tree)

    def known(self, task: Task) -> Tree | None:
        """What was recorded of `task` before."""
        if self.run is None:
            return None
        with Store.open(self.run) as store:
            return store.tree(task.id) if task.id in store.task_ids() else None

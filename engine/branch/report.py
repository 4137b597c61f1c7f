"""What came of the failed paths of a run."""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.runs.store import Store
from search.branching import DIFFERS
from search.states import States
from search.tree import ROOT, SPLICED, Node, Tree


@dataclass(frozen=True, slots=True)
class Difference:
    """A step that the world answers otherwise than it did when the path was recorded.

    Attributes:
        task: The task's id.
        step: The number of the step in its path.
        how: What it answers instead.
    """

    task: str
    step: int
    how: str

    def __str__(self) -> str:
        return f"{self.task}, step {self.step}: {self.how}"


@dataclass(slots=True)
class Branched:
    """What came of the failed paths of a run.

    Attributes:
        wrong_steps: How many paths went wrong at each step, of those with a success beside them.
        unsolved: Paths without a success beside them.
        cut_short: Paths without a wrong step: from their ends, others went on to a success.
        succeeded: Paths that succeed in the world.
        refused: How the world answers the other paths otherwise.
        continuations: Paths that were played on.
        recovered: Successful paths through a wrong step, played without asking the policy.
    """

    wrong_steps: Counter[int] = field(default_factory=Counter)
    unsolved: int = 0
    cut_short: int = 0
    succeeded: int = 0
    refused: list[Difference] = field(default_factory=list)
    continuations: int = 0
    recovered: int = 0

    def add(self, tree: Tree) -> None:
        """Count the paths of one tree."""
        states, played = States(tree), tree.nodes[: tree.searched]
        inner = {node.parent for node in played}
        good = _good_states(tree, states)
        self.continuations += sum(1 for _ in tree.continuations())
        self.recovered += sum(leaf.why == SPLICED for leaf in tree.winners())
        for node in played:
            if differs := node.step.info.get(DIFFERS):
                self.refused.append(Difference(tree.task.id, differs["step"], differs["how"]))
            elif node.id not in inner:
                self._add_path(node, tree, states, good)

    def _add_path(self, leaf: Node, tree: Tree, states: States, good: set[int]) -> None:
        path = [ROOT, *(node.id for node in tree.lineage(leaf.id))]
        before = [number for number, node in enumerate(path) if states.of[node] in good]
        if leaf.step.solved:
            self.succeeded += 1
        elif before and before[-1] == len(path) - 1:
            self.cut_short += 1
        elif before:
            self.wrong_steps[before[-1] + 1] += 1
        else:
            self.unsolved += 1

    @property
    def branched(self) -> int:
        """Paths with a success beside them."""
        return self.wrong_steps.total()

    @property
    def paths(self) -> int:
        """Failed paths that were played again."""
        ended = self.branched + self.unsolved + self.cut_short + self.succeeded
        return ended + len(self.refused)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {
            "paths": self.paths,
            "branched": self.branched,
            "wrong_steps": dict(sorted(self.wrong_steps.items())),
            "unsolved": self.unsolved,
            "cut_short": self.cut_short,
            "succeeded": self.succeeded,
            "refused": [
                {"task": one.task, "step": one.step, "how": one.how} for one in self.refused
            ],
            "continuations": self.continuations,
            "recovered": self.recovered,
        }


def _good_states(tree: Tree, states: States) -> set[int]:
    """Return the states from which a continuation succeeded."""
    paths = [tree.lineage(leaf.id) for leaf in tree.continuations() if leaf.step.solved]
    return {states.before(node) for path in paths for node in path}


def read_branched(run: Path) -> Branched:
    """Return what came of the failed paths, from the run that `branch` made.

    Raises:
        UsageError: There is no run.
    """
    found = Branched()
    with closing(Store.open(run)) as store:
        for tree in store.trees():
            found.add(tree)
    return found

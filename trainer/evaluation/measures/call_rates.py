"""Calls where none was right, and none where one was, in tasks that say which they are.

Tasks of a world with negatives do, by the tag "call" (`environments.negatives`). Each ended path
counts once. A call that is refused is a call; giving up, and a reply that is no call, is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from environments.negatives import CALL, NEEDED, NONE
from environments.tools import GIVE_UP, SAY
from environments.types import Step
from search.tree import Tree
from trainer.evaluation.measures.statistics import Rate

_NO_CALLS = ("", SAY.name, GIVE_UP.name)


@dataclass(slots=True)
class CallTally:
    """Counts paths."""

    negatives: int = 0
    false_calls: int = 0
    others: int = 0
    missed_calls: int = 0

    def add(self, tree: Tree) -> None:
        """Count the ended paths of a tree, if its task says whether a call is right."""
        wanted = tree.task.tags.get(CALL)
        for leaf in tree.leaves():
            called = _calls(tree.path(leaf.id))
            if wanted == NONE:
                self.negatives += 1
                self.false_calls += called
            elif wanted == NEEDED:
                self.others += 1
                self.missed_calls += not called

    @property
    def false(self) -> Rate | None:
        """Paths with a call, of those where none was right; None if there are none."""
        return Rate(self.false_calls, self.negatives) if self.negatives else None

    @property
    def missed(self) -> Rate | None:
        """Paths without a call, of those where one was right; None if there are none."""
        return Rate(self.missed_calls, self.others) if self.others else None


def _calls(path: Sequence[Step]) -> bool:
    return any(step.action.tool not in _NO_CALLS for step in path)

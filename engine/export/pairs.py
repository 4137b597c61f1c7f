"""DPO pairs: where a successful path and a failed action part.

Paths that begin alike are one path until they part, whatever nodes they are made of: see
`search.states`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from engine.export.filters import NO_ANNOTATIONS, Counts, Filters, passing_leaves
from engine.policies.student_first import OVERRULED
from engine.runs.annotations import TreeAnnotations
from search.states import States
from search.tree import STUDENT, Node, Tree

PairKind = Literal["step", "trajectory"]
"""What the two halves of a pair hold.

"step": one action each, as in TP-LLaMA (arXiv:2406.07115, section 4.2). "trajectory": everything
from the two actions to the ends of their paths.
"""

By = Literal["reward", "judge"]
"""What says which of two actions is better: the rewards below them, or a judge's scores."""

_ROUNDING = 1e-9

_LEFT_OUT = ("incomplete", "marked bad")
"""Why a failed action makes no pair; where the action did not fail, nothing is left out."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two actions in one state: one on a path that passes, the other without a success below it.

    Their nodes have the same parent, or parents that are the same state.

    Attributes:
        chosen_leaf: end of the path that passes.
        rejected_leaf: last ended node below the rejected action, in depth-first order.
    """

    chosen: Node
    rejected: Node
    chosen_leaf: Node
    rejected_leaf: Node


def find_pairs(
    tree: Tree,
    filters: Filters,
    counts: Counts,
    kind: PairKind = "step",
    annotations: TreeAnnotations = NO_ANNOTATIONS,
    by: By = "reward",
) -> Iterator[Pair]:
    """Yield a pair for each worse action beside each path that passes `filters`.

    An action is worse if everything below it failed; with `filters.margin`, if the best reward
    below it is lower by the margin; and by a judge, if its score is.

    Several paths may pass through the same two actions: they give one step pair, but a trajectory
    pair each. A bad annotation anywhere below a rejected action drops its pairs, because a pair
    says that everything below it failed. What the other actions beside the paths were is counted.
    """
    states = _Outcomes(tree)
    rule = _Rule(states, filters, annotations, by)
    done: set[tuple[int, str, str]] = set()
    for leaf in passing_leaves(tree, filters, counts, annotations):
        others = 0
        for chosen in tree.lineage(leaf.id):
            for action, nodes in states.beside(chosen).items():
                others += 1
                why, rejected = rule.rejected(leaf, chosen, nodes)
                if why:
                    counts.beside[why] += 1
                    if why in _LEFT_OUT:
                        counts.dropped[why] += 1
                    continue
                parting = states.before(chosen), chosen.step.action.key, action
                if kind == "step" and parting in done:
                    continue
                done.add(parting)
                yield Pair(chosen, rejected, leaf, states.last_ended(rejected))
        if not others:
            counts.beside["none"] += 1


class _Outcomes(States):
    """The states of a tree, and how the paths below each node ended.

    best: the highest reward of the paths that ended at or below each node; -inf without one.
    open: nodes at or below which a path has not ended.
    """

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self.best = [-inf] * len(self.of)
        self.open: set[int] = set()
        for node in reversed(tree.nodes):
            if node.step.ended:
                # NaN, in a run of another program, is no failure.
                reward = node.step.reward if node.step.reward <= inf else inf
                self.best[node.id] = max(self.best[node.id], reward)
            elif not tree.children(node.id):
                self.open.add(node.id)
            self.best[node.parent] = max(self.best[node.parent], self.best[node.id])
            if node.id in self.open:
                self.open.add(node.parent)

    def below(self, node: Node) -> list[Node]:
        """Return `node` and all nodes below it, in depth-first order."""
        found, waiting = [], [node]
        while waiting:
            found.append(waiting.pop())
            waiting += reversed(self.tree.children(found[-1].id))
        return found

    def last_ended(self, node: Node) -> Node:
        """Return the last ended node at or below `node`, in depth-first order."""
        ended = [each for each in self.below(node) if each.step.ended]
        return ended[-1] if ended else node


@dataclass(frozen=True, slots=True)
class _Rule:
    """Says which actions are worse than the chosen one."""

    states: _Outcomes
    filters: Filters
    annotations: TreeAnnotations
    by: By

    def rejected(self, leaf: Node, chosen: Node, nodes: Sequence[Node]) -> tuple[str, Node]:
        """Return why an action makes no pair ("" if it does), and the node that stands for it.

        Args:
            leaf: The end of the path that passes.
            chosen: Its node.
            nodes: Those of the other action in the same state.
        """
        why = self._not_worse(leaf, chosen, nodes)
        complete = [node for node in nodes if not node.step.incomplete]
        if why:
            return why, nodes[-1]
        if chosen.step.incomplete or not complete:
            return "incomplete", nodes[-1]
        if self.filters.corrected:
            complete = [node for node in complete if _is_correction(chosen, node)]
            if not complete:
                return "uncorrected", nodes[-1]
        if self.filters.exclude_marked:
            below = (each for node in nodes for each in self.states.below(node))
            if self.annotations.any_bad(list(below)):
                return "marked bad", nodes[-1]
        return "", complete[-1]

    def _not_worse(self, leaf: Node, chosen: Node, nodes: Sequence[Node]) -> str:
        """Return why another action is not worse than the chosen one; "" if it is.

        By rewards, an action is worse if every path through it ended, and the grader gave each less
        than `--min-reward`, or less than this path by the margin. A success that a filter leaves
        out is no failure, and a path that is still open might have succeeded.
        """
        margin = self.filters.margin
        if self.by == "judge":
            scores = self.annotations.step_scores
            others = [scores[node.id] for node in nodes if node.id in scores]
            if chosen.id not in scores or not others:
                return "not judged"
            gain = scores[chosen.id] - max(others)
            return "" if gain > 0 and gain >= (margin or 0) - _ROUNDING else "near"
        best = max(self.states.best[node.id] for node in nodes)
        if margin is None and best >= self.filters.min_reward:
            return "succeeded"
        if margin is not None and leaf.step.reward - best < margin - _ROUNDING:
            return "succeeded" if best >= self.filters.min_reward else "near"
        return "open" if any(node.id in self.states.open for node in nodes) else ""


def _is_correction(chosen: Node, rejected: Node) -> bool:
    """Return whether the teacher chose where the student's own step failed."""
    return chosen.why in OVERRULED and rejected.actor == STUDENT

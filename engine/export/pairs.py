"""DPO pairs: where a successful path and a failed sibling part."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from engine.export.filters import NO_ANNOTATIONS, Counts, Filters, passing_leaves, why_dropped
from engine.policies.student_first import OVERRULED
from engine.runs.annotations import TreeAnnotations
from search.tree import STUDENT, Node, Tree

PairKind = Literal["step", "trajectory"]
"""What the two halves of a pair hold.

"step": one action each, as in TP-LLaMA (arXiv:2406.07115, section 4.2). "trajectory": everything
from the two siblings to the ends of their paths.
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two siblings, one on a path that passes, the other with no such path below it.

    Attributes:
        chosen_leaf: end of the path that passes.
        rejected_leaf: last ended node below `rejected`, in depth-first order, or `rejected` itself.
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
) -> Iterator[Pair]:
    """Yield a pair for each failed sibling along each path that passes `filters`.

    Several paths may pass through the same two siblings: they give one step pair, but a trajectory
    pair each. A bad annotation anywhere below a rejected sibling drops its pairs, because a pair
    says that everything below it failed.
    """
    done: set[tuple[int, int]] = set()
    for leaf in passing_leaves(tree, filters, counts, annotations):
        for chosen in tree.lineage(leaf.id):
            for rejected, below in _failed_siblings(tree, chosen, filters):
                if filters.corrected and not _is_correction(chosen, rejected):
                    continue
                if kind == "step" and (chosen.id, rejected.id) in done:
                    continue
                done.add((chosen.id, rejected.id))
                if filters.exclude_marked and annotations.any_bad(below):
                    counts.dropped["marked bad"] += 1
                    continue
                last = [node for node in below if node.step.ended][-1]
                yield Pair(chosen, rejected, leaf, last)


def _failed_siblings(
    tree: Tree, chosen: Node, filters: Filters
) -> Iterator[tuple[Node, list[Node]]]:
    """Yield the failed siblings of `chosen`, each with all nodes of its subtree.

    A sibling failed if every path through it ended and none passes. One with a path that is still
    open might have succeeded, so it makes no pair.
    """
    for sibling in tree.children(chosen.parent):
        if sibling.id == chosen.id:
            continue
        below = _subtree(tree, sibling)
        ended = [node for node in below if node.step.ended]
        is_open = any(not node.step.ended and not tree.children(node.id) for node in below)
        passes = any(not why_dropped(tree.path(node.id), filters) for node in ended)
        if ended and not passes and not is_open:
            yield sibling, below


def _subtree(tree: Tree, root: Node) -> list[Node]:
    """Return `root` and all nodes below it, in depth-first order."""
    found, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += reversed(tree.children(node.id))
    return found


def _is_correction(chosen: Node, rejected: Node) -> bool:
    """Return whether the teacher chose where the student's own step failed."""
    return chosen.why in OVERRULED and rejected.actor == STUDENT

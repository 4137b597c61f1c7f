"""What a person's marks leave out of an export."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from search.tree import ROOT, Node, Tree

if TYPE_CHECKING:
    from engine.runs.annotations import Mark


@dataclass(frozen=True, slots=True)
class Marked:
    """The marks on one tree.

    nodes: marked bad, and with them every path through them; may hold ROOT.
    paths: leaves whose trajectory was marked bad.   scores: of trajectories, by leaf; 1 to 5.
    """

    nodes: frozenset[int] = frozenset()
    paths: frozenset[int] = frozenset()
    scores: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, marks: Iterable["Mark"]) -> "Marked":
        bad: dict[str, set[int]] = {"node": set(), "trajectory": set()}
        scores = {}
        for mark in marks:
            if mark.verdict == "bad":
                bad[mark.scope].add(mark.node)
            if mark.scope == "trajectory" and mark.score is not None:
                scores[mark.node] = mark.score
        return cls(frozenset(bad["node"]), frozenset(bad["trajectory"]), scores)

    def bad(self, tree: Tree, leaf: Node) -> bool:
        """Whether the trajectory that ends in `leaf`, or a node of it, was marked bad."""
        on_path = {ROOT, *(node.id for node in tree.lineage(leaf.id))}
        return leaf.id in self.paths or not self.nodes.isdisjoint(on_path)

    def taints(self, tree: Tree, rejected: Node) -> bool:
        """Whether a bad mark stands on a failed sibling or anywhere below it.

        A pair says that all below its rejected half failed; a mark on any of it doubts that.
        """
        marked = self.nodes | self.paths
        return any(node.id in marked for node in _below(tree, rejected))


def _below(tree: Tree, node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        at = waiting.pop()
        yield at
        waiting += tree.children(at.id)

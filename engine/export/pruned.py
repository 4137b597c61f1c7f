"""Trees whose successful paths are read without their detours."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Self

from search.tree import Node, Tree


@dataclass(slots=True)
class PrunedTree(Tree):
    """A tree in which the paths to some leaves lack steps.

    A replay has proven that such a path succeeds without them, and shows the same (`engine judge`).
    The nodes themselves stay.

    Attributes:
        detours: the nodes that a path does not need, by its leaf.
    """

    detours: Mapping[int, frozenset[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: Tree, detours: Mapping[int, frozenset[int]]) -> Self:
        """Return `tree` with the paths to the leaves in `detours` shortened."""
        values = {each.name: getattr(tree, each.name) for each in fields(Tree)}
        return cls(**values, detours=detours)

    def lineage(self, id: int) -> list[Node]:
        """Return the nodes from the first step to node `id`, without detours.

        A step that began anew stays: it says which attempts the path saw.
        """
        left_out = self.detours.get(id, frozenset())
        path = Tree.lineage(self, id)
        return [node for node in path if node.attempts or node.id not in left_out]

"""The states of a tree: nodes that are the same state, and the actions taken there.

Two nodes are the same state if the same actions led there and brought the same observations, as
with the chains of `react`, which all begin at the start state. A thought makes no other state.
"""

from dataclasses import dataclass, field

from search.tree import ROOT, Node, Tree


@dataclass(slots=True)
class States:
    """The states of a tree.

    Attributes:
        of: The number of the state that each node leads to, by node; ROOT is state 0.
        actions: The nodes of each action taken in a state, by the action's key.
    """

    tree: Tree
    of: list[int] = field(default_factory=lambda: [ROOT])
    actions: dict[int, dict[str, list[Node]]] = field(default_factory=dict)
    _known: dict[tuple[int, str, str], int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.update()

    def update(self) -> None:
        """Take in the nodes that the tree has got since."""
        for node in self.tree.nodes[len(self.of) - 1 :]:
            before, action = self.of[node.parent], node.step.action.key
            key = before, action, node.step.observation
            self.of.append(self._known.setdefault(key, len(self._known) + 1))
            self.actions.setdefault(before, {}).setdefault(action, []).append(node)

    def before(self, node: Node) -> int:
        """Return the state in which the action of `node` was taken."""
        return self.of[node.parent]

    def beside(self, node: Node) -> dict[str, list[Node]]:
        """Return the other actions taken in the state of `node`, each with its nodes."""
        taken = self.actions[self.before(node)]
        return {key: nodes for key, nodes in taken.items() if key != node.step.action.key}

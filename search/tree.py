"""The search tree: a flat, append-only list of nodes, each naming its parent.

Nothing here acts: no policy, no environment, no I/O.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from environments.types import Step, Task, Trajectory
from search.usage import Usage

if TYPE_CHECKING:
    import networkx

ROOT = 0
"""Id of the start state, which has no node: no step led to it."""

STUDENT = "student"
"""The actor of what a student proposed that acts before the teacher."""

Kind = Literal["propose", "student", "value", "compare", "reflect"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the policy or to a judge.

    state: the node it was made in or asked about, or ROOT.   request: the journal's key of it, ""
    where there is no journal.   usage: what it cost when it was paid.   kind: the method of
    `Policy` or `Judge` that made it; "student" for a proposal of a student that acts first.
    """

    state: int
    request: str
    usage: Usage
    kind: Kind = "propose"


@dataclass(frozen=True, slots=True)
class Node:
    """A visited state.

    id: 1, 2, 3, ... in the order visited.   parent: a smaller id, or ROOT.
    call: index in `Tree.calls` of the request that proposed `step`; -1 where nobody was asked.
    actor: who proposed it: "" for the run's teacher, STUDENT for a student that acts first.
    why: of a teacher's step where a student acts first, why it was not the student's: a word of
        `engine.policies.student_first`; else "".
    """

    id: int
    parent: int
    step: Step
    call: int = -1
    actor: str = ""
    why: str = ""


@dataclass(slots=True)
class Tree:
    """All that a search of `task` visited.

    source: who proposed: a model's name, or "demonstration"; "teacher+student" where both did.
    calls: every request, those that only brought repeats and a judge's included.
    repeats: proposals dropped because a sibling had the same action.
    closed: states that were given up before they had `width` children, and why: "repeats"
        (nothing new was proposed) or "pruned" (backtracked over, or not among a beam's best).
    replayed: states whose snapshot was lost, rebuilt by playing their path again.
    stopped: why the search ended: "solved", "exhausted", "calls", "tokens", "usd", or "budget"
        (the run's; such a tree is searched on when the run is resumed).
    """

    task: Task
    source: str = ""
    nodes: list[Node] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    repeats: int = 0
    closed: dict[int, str] = field(default_factory=dict)
    replayed: list[int] = field(default_factory=list)
    stopped: str = ""
    _children: dict[int, list[int]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for node in self.nodes:
            self._children.setdefault(node.parent, []).append(node.id)

    @property
    def usage(self) -> Usage:
        """What all requests of this tree cost."""
        return sum((call.usage for call in self.calls), Usage())

    def add(self, parent: int, step: Step, call: int = -1, actor: str = "", why: str = "") -> Node:
        node = Node(len(self.nodes) + 1, parent, step, call, actor, why)
        self.nodes.append(node)
        self._children.setdefault(parent, []).append(node.id)
        return node

    def node(self, id: int) -> Node:
        """The node called `id`, which is not ROOT."""
        if id == ROOT:
            raise KeyError("the start state has no node")
        return self.nodes[id - 1]

    def children(self, id: int) -> list[Node]:
        """The children of node `id` or of ROOT, in the order visited."""
        return [self.nodes[child - 1] for child in self._children.get(id, ())]

    def lineage(self, id: int) -> list[Node]:
        """The nodes from below the start state to node `id`, oldest first; none for ROOT."""
        nodes: list[Node] = []
        while id != ROOT:
            nodes.append(self.node(id))
            id = nodes[-1].parent
        return nodes[::-1]

    def path(self, id: int) -> tuple[Step, ...]:
        """The steps from the start state to node `id`, oldest first."""
        return tuple(node.step for node in self.lineage(id))

    def leaves(self) -> Iterator[Node]:
        """Every node whose path has ended, in the order found."""
        return (node for node in self.nodes if node.step.ended)

    def winners(self) -> list[Node]:
        """The leaves that solved the task, in the order found."""
        return [node for node in self.leaves() if node.step.solved]

    def failed_actors(self, at: int) -> frozenset[str]:
        """Who, but the run's teacher, acted in state `at` to no success: the path ended there, or
        the search went on and came back."""
        named = [child for child in self.children(at) if child.actor]
        if not named:
            return frozenset()
        good = {node.id for leaf in self.winners() for node in self.lineage(leaf.id)}
        tried = (node for node in named if node.step.ended or self.children(node.id))
        return frozenset(node.actor for node in tried if node.id not in good)

    def trajectories(self) -> Iterator[Trajectory]:
        """Every ended path, successes and failures, in the order found."""
        return (Trajectory(self.task, self.path(leaf.id)) for leaf in self.leaves())

    @property
    def solved(self) -> bool:
        return any(node.step.solved for node in self.nodes)

    def to_networkx(self) -> "networkx.DiGraph[int]":
        """The tree as a networkx graph: see `search.graph.to_networkx`."""
        from search.graph import to_networkx

        return to_networkx(self)

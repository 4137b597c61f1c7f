"""The search tree: a flat, append-only list of nodes, each naming its parent.

Nothing here acts: no policy, no environment, no I/O.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from environments.types import Step, Task, Trajectory
from search.usage import Usage

ROOT = 0
"""Id of the start state, which has no node: no step led to it."""

STUDENT = "student"
"""The actor of an action proposed by a student that acts before the teacher."""

SPLICED = "spliced"
"""Why a step was taken that no policy proposed in its state: it continues a path beside it, after a
wrong turn (`search.continuations`)."""

Kind = Literal["propose", "student", "value", "compare", "reflect", "grade"]
Status = Literal["solved", "gave_up", "failed", "cut", "open"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the policy or to a judge.

    Attributes:
        state: The node it was made in or asked about, or ROOT.
        request: Its key in the journal, or "".
        usage: What it cost when it was paid.
        kind: The method of `Policy`, `Judge` or `Grader` that made it; "student" for a proposal of
            a student that acts first.
        incomplete: Why replies to it were not complete ("length", ...), one word for each such
            reply, separated by spaces; "" if all were.
        said: What a reflection says, which every later proposal in the tree saw; "" for the rest.
    """

    state: int
    request: str
    usage: Usage
    kind: Kind = "propose"
    incomplete: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A visited state.

    Attributes:
        id: 1, 2, 3, ... in the order visited.
        parent: A smaller id, or ROOT.
        step: The step that led here.
        call: Index in `Tree.calls` of the request that proposed `step`; -1 if there was none.
        actor: Who proposed it: "" for the run's teacher, STUDENT for a student that acts first.
        why: Why the teacher replaced the student at this step (one of
            `engine.policies.student_first.REASONS`), SPLICED, or "".
        attempts: Leaves at which earlier attempts gave up, whose paths the proposal of `step` saw.
            Only a child of ROOT has any; what is below it saw them, too.
    """

    id: int
    parent: int
    step: Step
    call: int = -1
    actor: str = ""
    why: str = ""
    attempts: tuple[int, ...] = ()

    @property
    def status(self) -> Status:
        """How the path stands here: "failed" is a wrong answer, "cut" a limit."""
        step = self.step
        if step.solved:
            return "solved"
        if step.info.get("gave_up"):
            return "gave_up"
        if step.terminated:
            return "failed"
        return "cut" if step.truncated else "open"


@dataclass(slots=True)
class Tree:
    """Everything a search of `task` visited.

    Attributes:
        source: Who proposed: a model's name, "demonstration", or "teacher+student".
        calls: Every request, including those that brought only duplicates and a judge's.
        duplicates: Proposals dropped because a sibling had the same action.
        closed: States given up before they had `width` children, and why: "repeats" (nothing new
            was proposed) or "pruned" (backtracked over, or not among a beam's best).
        replayed: States whose snapshot was lost, rebuilt by playing their path again.
        stopped: Why the search ended: "solved", "exhausted", "calls", "tokens", "usd" or "budget"
            (the run's; such a tree is searched on when the run is resumed).
        searched: In a tree of `engine credit`, how many of its nodes an earlier search visited; the
            rest are continuations (`search.continuations`). 0 in the tree of a search.
    """

    task: Task
    source: str = ""
    nodes: list[Node] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    duplicates: int = 0
    closed: dict[int, str] = field(default_factory=dict)
    replayed: list[int] = field(default_factory=list)
    stopped: str = ""
    searched: int = 0
    _children: dict[int, list[int]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for node in self.nodes:
            self._children.setdefault(node.parent, []).append(node.id)

    @property
    def usage(self) -> Usage:
        """What all requests of this tree cost."""
        return sum((call.usage for call in self.calls), Usage())

    def add(self, parent: int, step: Step, call: int = -1, **facts: Any) -> Node:
        """Add a child of `parent` and return it; `facts` are further attributes of the node."""
        node = Node(len(self.nodes) + 1, parent, step, call, **facts)
        self.nodes.append(node)
        self._children.setdefault(parent, []).append(node.id)
        return node

    def node(self, id: int) -> Node:
        """Return the node `id`.

        Raises:
            KeyError: `id` is ROOT, which has no node.
        """
        if id == ROOT:
            raise KeyError("the start state has no node")
        return self.nodes[id - 1]

    def children(self, id: int) -> list[Node]:
        """Return the children of node `id` or of ROOT, in the order visited."""
        return [self.nodes[child - 1] for child in self._children.get(id, ())]

    def lineage(self, id: int) -> list[Node]:
        """Return the nodes from the first step to node `id`, in order; empty for ROOT."""
        nodes: list[Node] = []
        while id != ROOT:
            nodes.append(self.node(id))
            id = nodes[-1].parent
        return nodes[::-1]

    def path(self, id: int) -> tuple[Step, ...]:
        """Return the steps from the start state to node `id`, in order."""
        return tuple(node.step for node in self.lineage(id))

    def attempts(self, id: int) -> tuple[int, ...]:
        """Return the leaves of the earlier attempts that the path to node `id` began with."""
        lineage = self.lineage(id)
        return lineage[0].attempts if lineage else ()

    def reflections(self, id: int) -> tuple[str, ...]:
        """Return the reflections on failed paths that the proposal of node `id` saw."""
        earlier = self.calls[: max(self.node(id).call, 0)]
        return tuple(call.said for call in earlier if call.said)

    def leaves(self) -> Iterator[Node]:
        """Yield every node at which a path has ended, in the order found."""
        return (node for node in self.nodes if node.step.ended)

    def continuations(self) -> Iterator[Node]:
        """Yield the leaves of the paths that a policy played on from states of an earlier search.

        Spliced paths, which no policy chose, are none.
        """
        return (leaf for leaf in self.leaves() if leaf.id > self.searched and leaf.why != SPLICED)

    def winners(self) -> list[Node]:
        """Return the leaves that solved the task, in the order found."""
        return [node for node in self.leaves() if node.step.solved]

    def failures(self, at: int) -> set[int]:
        """Return the children of `at` that led to no success.

        The path ended there, or the search continued it, and no path through it succeeded.
        """
        good = {node.id for leaf in self.winners() for node in self.lineage(leaf.id)}
        explored = (n for n in self.children(at) if n.step.ended or self.children(n.id))
        return {node.id for node in explored} - good

    def trajectories(self) -> Iterator[Trajectory]:
        """Yield every ended path, successes and failures, in the order found."""
        return (Trajectory(self.task, self.path(leaf.id)) for leaf in self.leaves())

    @property
    def solved(self) -> bool:
        """Whether a path solved the task."""
        return any(node.step.solved for node in self.nodes)

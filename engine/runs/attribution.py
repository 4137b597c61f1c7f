"""Attribution: how much of a run the student did itself, and how much its teacher."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from engine.policies.student_first import REASONS
from search.tree import STUDENT, Tree
from search.usage import Usage


@dataclass(slots=True)
class ActorStats:
    """Counts over the trees of a run in which a student acts first.

    Attributes:
        student_nodes: steps that the student proposed. Each saved one call of the teacher.
        student: cost of the student's proposals.
        teacher: cost of the teacher's proposals, without a judge's questions.
        why: steps that the teacher proposed instead, by reason (`engine.policies.student_first`).
        alone: trees solved by a path that is the student's from start to end.
        corrected: trees solved only by paths with a step of the teacher.
    """

    trees: int = 0
    nodes: int = 0
    student_nodes: int = 0
    student: Usage = field(default_factory=Usage)
    teacher: Usage = field(default_factory=Usage)
    why: Counter[str] = field(default_factory=Counter)
    alone: int = 0
    corrected: int = 0

    def __bool__(self) -> bool:
        """Whether a student acted, or was asked to."""
        return bool(self.student_nodes or self.student.calls or self.why)

    def count(self, tree: Tree) -> None:
        """Add one tree to the counts."""
        self.trees += 1
        self.nodes += len(tree.nodes)
        self.student_nodes += sum(node.actor == STUDENT for node in tree.nodes)
        self.why.update(node.why for node in tree.nodes if node.why in REASONS)
        for call in tree.calls:
            if call.kind == "student":
                self.student += call.usage
            elif call.kind == "propose":
                self.teacher += call.usage
        if tree.solved:
            alone = solved_by_student(tree)
            self.alone += alone
            self.corrected += not alone

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and shares as JSON values."""
        return {
            "teacher_calls": self.teacher.calls,
            "teacher_tokens": self.teacher.tokens,
            "teacher_usd": round(self.teacher.usd, 6),
            "student_calls": self.student.calls,
            "student_tokens": self.student.tokens,
            "student_usd": round(self.student.usd, 6),
            "student_nodes": self.student_nodes,
            "student_share": _share(self.student_nodes, self.nodes),
            "teacher_calls_saved": self.student_nodes,
            "solve_rate_alone": _share(self.alone, self.trees),
            "solve_rate_corrected": _share(self.corrected, self.trees),
            **{why: self.why[why] for why in REASONS},
        }


def solved_by_student(tree: Tree) -> bool:
    """Return whether a solution of `tree` is the student's from its first step to its last."""
    return any(
        all(node.actor == STUDENT for node in tree.lineage(leaf.id)) for leaf in tree.winners()
    )


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0

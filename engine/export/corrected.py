"""What a teacher corrected, of a run in which a student acts first."""

from engine.policies.student_first import OVERRULED
from search.tree import STUDENT, Node, Tree


def corrected(tree: Tree, leaf: Node) -> bool:
    """Whether the teacher acted on the path to `leaf` where the student was doubted or failed."""
    return any(node.why in OVERRULED for node in tree.lineage(leaf.id))


def corrects(good: Node, bad: Node) -> bool:
    """Whether, of two siblings, the teacher's stands where the student's led nowhere."""
    return good.why in OVERRULED and bad.actor == STUDENT

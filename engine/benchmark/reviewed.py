"""What counts as reviewed: what a person has looked at, and says is right.

A trajectory counts if it has ended, is not marked bad, passes no step that is marked bad, and

- a person marked it good, or gave it a score of 4 or 5 (usable); or
- a person corrected it (`engine correct`, or in the viewer), and it solved its task.

Its steps then are references, but for mistakes: an error, or a repeat of an earlier step. A single
step that is marked good is a reference too, whatever became of its path.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.play.correction import SOURCE
from engine.runs.annotations import Annotation, TreeAnnotations
from environments.types import Step
from search.tree import Tree

USABLE = 4
"""The least score of a trajectory that can be used; see docs/evaluation.md."""


@dataclass(frozen=True, slots=True)
class Review:
    """Why a step counts as reviewed.

    Attributes:
        how: "marked good", "scored N" or "corrected".
        at: When a person said so; "" if unknown.
        why: The person's reason, if one was given.
    """

    how: str
    at: str = ""
    why: str = ""


def reviewed_steps(tree: Tree, annotations: Sequence[Annotation]) -> dict[int, Review]:
    """Return the reviewed steps of `tree` by node, in the order found.

    Args:
        tree: Of a run, or of the corrected paths of one.
        annotations: Those on this tree.
    """
    bad = TreeAnnotations.of(annotations)
    trajectories = {mark.node: mark for mark in annotations if mark.scope == "trajectory"}
    found: dict[int, Review] = {}
    for leaf in tree.leaves():
        review = _review(trajectories.get(leaf.id))
        if review is None and tree.source == SOURCE and leaf.step.solved:
            review = Review("corrected")
        if review is None or bad.is_bad_path(tree, leaf):
            continue
        for node in tree.lineage(leaf.id):
            if not is_mistake(tree.path(node.id)):
                found.setdefault(node.id, review)
    for mark in annotations:
        if mark.scope == "node" and mark.verdict == "good" and mark.node > 0:
            found[mark.node] = Review("marked good", mark.at, mark.why)
    return {id: found[id] for id in sorted(found) if _is_answer(tree.node(id).step)}


def is_mistake(path: Sequence[Step]) -> bool:
    """Return whether the last step was an error, or a repeat of an earlier one."""
    *earlier, last = path
    repeated = any(last.action.key == step.action.key for step in earlier)
    return repeated or bool(last.info.get("error"))


def _review(mark: Annotation | None) -> Review | None:
    if mark is None or mark.verdict == "bad":
        return None
    if mark.verdict == "good":
        return Review("marked good", mark.at, mark.why)
    if mark.score is not None and mark.score >= USABLE:
        return Review(f"scored {mark.score}", mark.at, mark.why)
    return None


def _is_answer(step: Step) -> bool:
    """Return whether a step is a whole call, which alone can be a reference."""
    return bool(step.action.tool) and not step.incomplete

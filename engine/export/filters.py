"""Which paths of a tree are worth a row."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.export.annotated import Marked
from engine.export.corrected import corrected
from environments.types import Action, Step
from search.tree import Node, Tree


@dataclass(frozen=True, slots=True)
class Filter:
    """What a path must be to become a row.

    min_reward: in [0, 1]. The default keeps full successes only: training on paths of reward
        over 2/3 is markedly worse (AgentTuning, arXiv:2310.12823, table 5).
    per_task: at most so many paths a task, shortest first; None: all.
    loops: keep paths in which the same action brought the same observation twice.
    give_ups: keep paths that end in a give-up.
    near_duplicates: keep paths whose actions are those of another path of the task but for
        case, blanks and punctuation.
    exclude_marked: leave out paths, and pairs, that a person marked bad (`engine view`).
    min_mark: keep trajectories only that a person gave this score or more, 1 to 5; None: all.
    marked: the marks on the tree at hand.
    corrected: keep only what a teacher corrected where a student acted first: paths with such a
        step; pairs of the teacher's step and the student's.
    """

    min_reward: float = 1.0
    per_task: int | None = None
    loops: bool = False
    give_ups: bool = False
    near_duplicates: bool = False
    exclude_marked: bool = False
    min_mark: int | None = None
    marked: Marked = field(default_factory=Marked)
    corrected: bool = False


@dataclass(slots=True)
class Counts:
    """What became of paths and rows: written, and dropped by reason.

    seen: hashes of the rows written, so that equal rows of several runs are one.
    stale_marks: marks on nodes that their tree no longer has.
    """

    rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    seen: set[bytes] = field(default_factory=set)
    stale_marks: int = 0


def kept(tree: Tree, wanted: Filter, counts: Counts) -> Iterator[Node]:
    """The leaves whose paths pass, shortest path first; the others are counted."""
    seen: set[tuple[str, ...]] = set()
    number = 0
    for leaf in sorted(tree.leaves(), key=lambda leaf: (len(tree.lineage(leaf.id)), leaf.id)):
        path = tree.path(leaf.id)
        reason = fault(path, wanted) or mark_fault(tree, leaf, wanted)
        if not reason and wanted.corrected and not corrected(tree, leaf):
            reason = "uncorrected"
        likeness = tuple(_likeness(step.action) for step in path)
        if not reason and likeness in seen and not wanted.near_duplicates:
            reason = "duplicate"
        if not reason and wanted.per_task is not None and number >= wanted.per_task:
            reason = "per_task"
        if reason:
            counts.dropped[reason] += 1
            continue
        seen.add(likeness)
        number += 1
        yield leaf


def fault(path: tuple[Step, ...], wanted: Filter) -> str:
    """Why a path is no row, in one word; "" where it is one."""
    last = path[-1]
    if last.info.get("gave_up") and not wanted.give_ups:
        return "gave_up"
    if last.reward < wanted.min_reward:
        return "reward"
    if last.truncated and wanted.min_reward > 0:
        return "truncated"
    if not wanted.loops and loops(path):
        return "loop"
    return ""


def mark_fault(tree: Tree, leaf: Node, wanted: Filter) -> str:
    """Why a person's marks make the path to `leaf` no row; "" where they do not."""
    if wanted.exclude_marked and wanted.marked.bad(tree, leaf):
        return "marked bad"
    if wanted.min_mark is not None and wanted.marked.scores.get(leaf.id, 0) < wanted.min_mark:
        return "mark"
    return ""


def loops(path: tuple[Step, ...]) -> bool:
    """Whether the same action brought the same observation twice."""
    seen = {(step.action.key, step.observation) for step in path}
    return len(seen) < len(path)


def _likeness(action: Action) -> str:
    return " ".join(re.findall(r"\w+|[<>=!*/+%-]+", action.key.casefold()))

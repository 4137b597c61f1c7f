"""Filters of an export: which paths of a tree become rows, and why the others do not."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import isfinite

from engine.policies.student_first import OVERRULED
from engine.runs.annotations import TreeAnnotations
from environments.types import Action, Step, is_finite
from search.tree import SPLICED, Node, Tree
from treegraft.ranges import check_ranges


@dataclass(frozen=True, slots=True)
class Filters:
    """What a path must satisfy to become a row.

    Attributes:
        min_reward: Least reward of a path, from 0 to 1. The default keeps full successes only:
            training on paths with rewards above 2/3 gives markedly worse students (AgentTuning,
            arXiv:2310.12823, table 5).
        per_task: Most paths per task, shortest first.
        loops: Keep paths in which the same action got the same observation twice.
        give_ups: Keep paths that end by giving up.
        near_duplicates: Keep paths whose actions differ from those of another path of the task in
            case, whitespace and punctuation only.
        exclude_marked: Leave out paths and pairs that a person marked bad in `engine view`.
        min_mark: Keep only trajectories to which a person gave this score or more, from 1 to 5.
        min_step_score: Leave out paths that have a step with a lower score, from 0 to 1, or one
            without a score; `engine judge` gives them.
        margin: Least gain of a chosen action over a rejected one in DPO pairs: in the best reward
            below them, with --by judge in their scores, or in their values (--pairs value: default
            0.3). By default the rejected one has no path below it that reaches --min-reward.
        corrected: Keep only what a teacher corrected, in runs where a student acts first: paths
            with such a step, and pairs of the teacher's step and the student's.
        failures: Keep failed paths, too.
        spliced: Keep paths that were played on without asking the policy (`search.tree.SPLICED`).
    """

    min_reward: float = field(default=1.0, metadata={"min": 0, "max": 1})
    per_task: int | None = field(default=None, metadata={"min": 1, "default": "all"})
    loops: bool = False
    give_ups: bool = False
    near_duplicates: bool = False
    exclude_marked: bool = False
    min_mark: int | None = field(default=None, metadata={"min": 1, "max": 5})
    min_step_score: float | None = field(default=None, metadata={"min": 0, "max": 1})
    margin: float | None = field(default=None, metadata={"above": 0, "max": 1})
    corrected: bool = False
    failures: bool = field(default=False, metadata={"hidden": True})
    spliced: bool = field(default=False, metadata={"hidden": True})

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def use_annotations(self) -> bool:
        """Whether a person's annotations matter to these filters."""
        return self.exclude_marked or self.min_mark is not None


@dataclass(slots=True)
class Counts:
    """The outcome of an export.

    Attributes:
        dropped: paths, pairs and rows left out, by reason.
        stale_annotations: annotations of nodes that their tree no longer has.
        trees: trees read.
        passed: paths that pass the filters.
        beside: what stood beside these paths in place of a failed action, for pairs: "none" (no
            other action), or other actions that "succeeded", were left "open", are "incomplete"
            replies, were "marked bad", are no correction ("uncorrected"), are too near in reward,
            score or value ("near"), have no score ("not judged") or no value ("not valued"), read
            like the chosen one ("alike") or are "rarely drawn" by the policy.
        forms: rows by the form that they are written in.
        ranked: pairs by value of which the policy draws at least one action.
        misranked: those of them of which it draws the rejected action more often.
    """

    rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    stale_annotations: int = 0
    trees: int = field(default=0, repr=False)
    passed: int = field(default=0, repr=False)
    beside: Counter[str] = field(default_factory=Counter, repr=False)
    forms: Counter[str] = field(default_factory=Counter, repr=False)
    ranked: int = field(default=0, repr=False)
    misranked: int = field(default=0, repr=False)


NO_ANNOTATIONS = TreeAnnotations()


def passing_leaves(
    tree: Tree,
    filters: Filters,
    counts: Counts,
    annotations: TreeAnnotations = NO_ANNOTATIONS,
    why_not: Callable[[Node], str] = lambda _: "",
) -> Iterator[Node]:
    """Yield the leaves whose paths pass `filters`, shortest path first; count the others.

    `why_not` says of a path that passes otherwise why it is left out, in a few words; "" if it is
    not.
    """
    passed: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for leaf in sorted(tree.leaves(), key=lambda leaf: (len(tree.lineage(leaf.id)), leaf.id)):
        path, alike = tree.path(leaf.id), passed[leaf.step.reward >= filters.min_reward]
        reason = why_dropped(path, filters) or _why_this_leaf(tree, leaf, filters, annotations)
        read = "\n".join(words(step.action) for step in path)
        if not reason and read in alike and not filters.near_duplicates:
            reason = "duplicate"
        reason = reason or why_not(leaf)
        if not reason and filters.per_task is not None and alike.total() >= filters.per_task:
            reason = "per_task"
        if reason:
            counts.dropped[reason] += 1
            continue
        alike[read] += 1
        counts.passed += 1
        yield leaf


def why_dropped(path: tuple[Step, ...], filters: Filters) -> str:
    """Return why `path` taken alone does not pass, in one word; "" if it passes."""
    last = path[-1]
    if not all(map(is_json, path)):
        return "not finite"
    if last.info.get("gave_up") and not filters.give_ups:
        return "gave_up"
    failed = last.reward < filters.min_reward
    if failed and not filters.failures:
        return "reward"
    if last.truncated and filters.min_reward > 0 and not failed:
        return "truncated"
    if not filters.loops and _has_loop(path):
        return "loop"
    return ""


def is_json(step: Step) -> bool:
    """Return whether a row can hold a step: NaN, in a run of another program, is not JSON."""
    return isfinite(step.reward) and is_finite(step.action.arguments)


def _why_this_leaf(tree: Tree, leaf: Node, filters: Filters, annotations: TreeAnnotations) -> str:
    if leaf.why == SPLICED and not filters.spliced:
        return "spliced"
    if filters.exclude_marked and annotations.is_bad_path(tree, leaf):
        return "marked bad"
    if filters.min_step_score is not None:
        least = annotations.least_step_score(tree, leaf)
        if least is None or least < filters.min_step_score:
            return "not judged" if least is None else "step score"
    if filters.min_mark is not None and annotations.scores.get(leaf.id, 0) < filters.min_mark:
        return "mark"
    if filters.corrected and not _has_correction(tree, leaf):
        return "uncorrected"
    return ""


def _has_loop(path: tuple[Step, ...]) -> bool:
    return len({(step.action.key, step.observation) for step in path}) < len(path)


def _has_correction(tree: Tree, leaf: Node) -> bool:
    """Return whether a teacher overruled its student on the path to `leaf`."""
    return any(node.why in OVERRULED for node in tree.lineage(leaf.id))


def words(action: Action) -> str:
    """Return the words and operators of an action, to compare it with near-duplicates."""
    return " ".join(re.findall(r"\w+|[<>=!*/+%-]+", action.key.casefold()))

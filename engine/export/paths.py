"""Which paths become SFT rows, and what of each is trained.

By default every successful path is, and all of it. The values of states (`engine credit`) choose
others, or weigh the steps:

- recovery: paths that succeed after a wrong turn, which is context (Agent-R, Yuan et al. 2025,
  arXiv:2501.11425; AgentRefine, Fu et al. 2025, arXiv:2501.01702);
- pivots: paths from states that the policy solves at times (PivotRL, Yi et al. 2026,
  arXiv:2603.21383);
- nat: failed paths, too, told apart by a line in the prompt (Wang et al. 2024, arXiv:2402.11651);
- advantage weights (Peng et al. 2019, arXiv:1910.00177).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from math import exp, log

from engine.export.filters import NO_ANNOTATIONS, Counts, Filters, passing_leaves
from engine.export.pairs import ROUNDING
from engine.export.rows import Trained
from engine.export.value_rules import MARGIN, ValueRules
from engine.runs.annotations import TreeAnnotations
from search.tree import SPLICED, Node, Tree
from search.values import Values

SUCCEEDS = "Generate a sequence of steps that solves the task correctly."
"""The last line of the prompt of a path that succeeds (--nat); a student is asked with it, too."""
FAILS = "Generate a sequence of steps that solves the task incorrectly."
"""The last line of the prompt of a path that fails (--nat)."""

MOST_WEIGHT = 20.0
"""Weights by advantage are at most this, as in Peng et al."""

Masked = Callable[[Node], frozenset[int] | None]
"""From the end of a path to the nodes of it that are not trained; None if it makes no row."""


def trained_paths(
    tree: Tree,
    rules: ValueRules,
    filters: Filters,
    counts: Counts,
    annotations: TreeAnnotations = NO_ANNOTATIONS,
) -> Iterator[tuple[Node, Trained]]:
    """Yield the end of each path that becomes a row, and what of it is trained."""
    values = Values(tree, rules.min_continuations) if rules.weigh_by_value else None
    missing, masked = _chosen(values, rules, filters)
    wanted = replace(filters, failures=rules.nat, spliced=rules.recovery)

    def why_not(leaf: Node) -> str:
        return missing if masked(leaf) is None else ""

    for leaf in passing_leaves(tree, wanted, counts, annotations, why_not):
        weights = None
        if values and rules.advantage_weighted:
            path = tree.lineage(leaf.id)
            weights = {node.id: _weight(values, node, rules.advantage_weighted) for node in path}
        note = SUCCEEDS if leaf.step.reward >= filters.min_reward else FAILS
        yield leaf, Trained(masked(leaf) or frozenset(), weights, note if rules.nat else "")


def _chosen(values: Values | None, rules: ValueRules, filters: Filters) -> tuple[str, Masked]:
    """Return what the paths lack that make no row, and what masks the others."""
    if values and rules.recovery:
        turns = _WrongTurns(values, filters)
        return "no wrong turn", lambda leaf: turns.on(leaf) or None
    if values and rules.pivot_range:
        return "no pivot", partial(_before_pivot, values, *rules.pivot_range)
    return "", lambda _: frozenset()


def _weight(values: Values, node: Node, temperature: float) -> float:
    """Return the weight of a step by its advantage: 1 if that is not known."""
    gain = values.advantage(node)
    if gain is None:
        return 1.0
    return round(exp(min(gain / temperature, log(MOST_WEIGHT))), 6)


def _before_pivot(values: Values, low: float, high: float, leaf: Node) -> frozenset[int] | None:
    """Return the nodes before the first pivot on a path; None if it goes through none."""
    before: list[int] = []
    for node in values.tree.lineage(leaf.id):
        value = values.of(node.parent)
        if value and low - ROUNDING <= value.pass_rate <= high + ROUNDING:
            return frozenset(before)
        before.append(node.id)
    return None


class _WrongTurns:
    """The wrong turns of a tree."""

    def __init__(self, values: Values, filters: Filters) -> None:
        self.values = values
        self.margin = (MARGIN if filters.margin is None else filters.margin) - ROUNDING
        self._failed = set(self._failed_beside_success(filters.min_reward))

    def on(self, leaf: Node) -> frozenset[int]:
        """Return the wrong turns on the path to `leaf`."""
        path = self.values.tree.lineage(leaf.id)
        after = [*(node.why == SPLICED for node in path[1:]), False]
        return frozenset(
            node.id
            for node, spliced in zip(path, after, strict=True)
            if node.why != SPLICED and (spliced or self._is_wrong(node))
        )

    def _is_wrong(self, node: Node) -> bool:
        gain = self.values.advantage(node)
        if gain is not None and (gain >= 0 or -gain >= self.margin):
            return gain < 0
        return self._taken(node) in self._failed

    def _taken(self, node: Node) -> tuple[int, str]:
        return self.values.states.before(node), node.step.action.key

    def _failed_beside_success(self, least: float) -> Iterator[tuple[int, str]]:
        """Yield the actions that the search only failed with, where another one succeeded."""
        tree = self.values.tree
        found: dict[bool, set[tuple[int, str]]] = {True: set(), False: set()}
        for leaf in tree.leaves():
            if leaf.id <= tree.searched:
                path = tree.lineage(leaf.id)
                found[leaf.step.reward >= least].update(map(self._taken, path))
        good_states = {state for state, _ in found[True]}
        for state, action in found[False] - found[True]:
            if state in good_states:
                yield state, action

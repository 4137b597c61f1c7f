"""DPO pairs by value: in one state, the best action and each that is worth less by a margin.

What an action is worth is the mean reward of the continuations below it (`search.values`). So both
may lead to success, and both may fail at times. An action of the policy's own that it took at least
nearly as often as the best one stands at its boundary: it is what the policy would do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from engine.export.filters import NO_ANNOTATIONS, Counts, Filters, is_json, words
from engine.export.pairs import ROUNDING, Pair, PairKind, below, last_ended
from engine.export.value_rules import MARGIN, ValueRules
from engine.runs.annotations import TreeAnnotations
from search.tree import Node, Tree
from search.values import Value, Values


@dataclass(frozen=True, slots=True)
class _Taken:
    """An action taken in a state.

    nodes: those of it whose reply is complete.
    drawn: how often the policy took it.
    """

    nodes: Sequence[Node]
    value: Value
    drawn: int


def value_pairs(
    tree: Tree,
    rules: ValueRules,
    filters: Filters,
    counts: Counts,
    kind: PairKind = "value",
    annotations: TreeAnnotations = NO_ANNOTATIONS,
) -> Iterator[Pair]:
    """Yield the pairs of the states of `tree` whose actions are worth different rewards.

    What stands beside the best action of a state and makes no pair is counted, and how often the
    policy draws the rejected action more often than the chosen one.
    """
    values = Values(tree, rules.min_continuations)
    margin = MARGIN if filters.margin is None else filters.margin
    for state in values.states.actions:
        taken = list(_taken(values, state, counts))
        if not taken:
            continue
        best = max(taken, key=lambda one: (one.value.mean, one.drawn))
        counts.beside["none"] += len(values.states.actions[state]) == 1
        for other in taken:
            if other is best:
                continue
            why = _not_worse(best, other, margin - ROUNDING, filters)
            if not why and filters.exclude_marked and _marked(tree, best, other, annotations):
                why = "marked bad"
            if not why:
                counts.ranked += bool(best.drawn or other.drawn)
                counts.misranked += other.drawn > best.drawn
                why = "" if kind == "value" or _at_boundary(best, other, rules) else "rarely drawn"
            if why:
                counts.beside[why] += 1
            else:
                yield _pair(tree, best, other)


def _taken(values: Values, state: int, counts: Counts) -> Iterator[_Taken]:
    for key, nodes in values.states.actions[state].items():
        complete = [one for one in nodes if not one.step.incomplete and is_json(one.step)]
        value = values.of_action(nodes)
        if value is None:
            counts.beside["not valued"] += 1
        elif not complete:
            counts.beside["incomplete"] += 1
        else:
            yield _Taken(complete, value, values.drawn[state][key] if state in values.drawn else 0)


def _not_worse(best: _Taken, other: _Taken, margin: float, filters: Filters) -> str:
    if best.value.mean - other.value.mean < margin:
        return "near"
    same = words(best.nodes[0].step.action) == words(other.nodes[0].step.action)
    return "alike" if same and not filters.near_duplicates else ""


def _marked(tree: Tree, best: _Taken, other: _Taken, annotations: TreeAnnotations) -> bool:
    """Return whether a person marked the chosen action bad, or anything from the rejected one."""
    nodes = [each for node in other.nodes for each in below(tree, node)]
    return annotations.any_bad([*best.nodes, *nodes])


def _at_boundary(best: _Taken, other: _Taken, rules: ValueRules) -> bool:
    return other.drawn > 0 and other.drawn >= rules.drawn_ratio * best.drawn


def _pair(tree: Tree, best: _Taken, other: _Taken) -> Pair:
    leaf, chosen = max(
        ((_best_end(tree, node), node) for node in best.nodes), key=lambda both: _reward(both[0])
    )
    rejected = other.nodes[-1]
    return Pair(chosen, rejected, leaf, last_ended(tree, rejected), (best.value, other.value))


def _best_end(tree: Tree, node: Node) -> Node:
    """Return the leaf at or below `node` with the highest reward, of these the first."""
    return max(below(tree, node), key=_reward)


def _reward(node: Node) -> float:
    """Return the reward of a path; of what is no end of a path, less than any."""
    step = node.step
    return step.reward if step.ended and isfinite(step.reward) else -inf

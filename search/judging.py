"""What searches ask a judge: values of states, an order of siblings, reflections on failures."""

from collections.abc import Sequence
from functools import partial
from itertools import combinations

from search.policy import Judge
from search.tree import Node
from search.walk import Walk


async def values(walk: Walk, judge: Judge, nodes: Sequence[Node]) -> dict[int, float] | None:
    """The value of each of `nodes` by id, in [0, 1]; None where the budget ended before."""
    found = {}
    for node in nodes:
        ask = partial(judge.value, walk.tree.task, walk.tree.path(node.id))
        value = await walk.consult("value", node.id, ask)
        if value is None:
            return None
        found[node.id] = value
    return found


async def ranked(walk: Walk, judge: Judge, nodes: Sequence[Node]) -> list[Node]:
    """Siblings, best first: each pair is compared both ways round, and points are summed.

    As in ToolBench's `sum_based_rankn`: a pair brings 1 point, halved where the two comparisons
    disagree. Equal sums keep the order drawn, and so does all that the budget left unasked.
    """
    points = {node.id: 0.0 for node in nodes}
    for pair in combinations(nodes, 2):
        for one, other in (pair, pair[::-1]):
            path = walk.tree.path(one.parent)
            ask = partial(judge.compare, walk.tree.task, path, one.step, other.step)
            share = await walk.consult("compare", one.parent, ask)
            if share is None:
                return list(nodes)
            points[one.id] += share
            points[other.id] += 1 - share
    return sorted(nodes, key=lambda node: -points[node.id])


async def reflect(walk: Walk, judge: Judge, leaf: Node) -> None:
    """Tell every later proposal of this walk what the judge makes of a failed path."""
    ask = partial(judge.reflect, walk.tree.task, walk.tree.path(leaf.id))
    if lesson := await walk.consult("reflect", leaf.id, ask):
        walk.lessons.append(lesson)

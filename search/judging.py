"""What searches ask a judge: values of states, an order of siblings, reflections on failures."""

from collections.abc import Sequence
from functools import partial
from itertools import combinations

from search.episode import Episode
from search.policy import Judge
from search.tree import Node


async def values(episode: Episode, nodes: Sequence[Node]) -> dict[int, float] | None:
    """Return each node's value in [0, 1] by id; None if the budget ended before all were known."""
    judge, found = _judge(episode), {}
    for node in nodes:
        ask = partial(judge.value, episode.tree.task, episode.tree.path(node.id))
        value = await episode.consult("value", node.id, ask)
        if value is None:
            return None
        found[node.id] = value
    return found


async def ranked(episode: Episode, nodes: Sequence[Node]) -> list[Node]:
    """Return siblings, best first: each pair is compared both ways round, and points are summed.

    As in ToolBench's `sum_based_rankn`, a pair is worth 1 point, halved where the two comparisons
    disagree. Equal sums keep the order drawn; so do all nodes if the budget ends before the end.
    """
    judge, points = _judge(episode), {node.id: 0.0 for node in nodes}
    for pair in combinations(nodes, 2):
        for one, other in (pair, pair[::-1]):
            path = episode.tree.path(one.parent)
            ask = partial(judge.compare, episode.tree.task, path, one.step, other.step)
            share = await episode.consult("compare", one.parent, ask)
            if share is None:
                return list(nodes)
            points[one.id] += share
            points[other.id] += 1 - share
    return sorted(nodes, key=lambda node: -points[node.id])


async def reflect(episode: Episode, leaf: Node) -> None:
    """Ask the judge what went wrong on the path to `leaf`; later proposals see the answer."""
    ask = partial(_judge(episode).reflect, episode.tree.task, episode.tree.path(leaf.id))
    if lesson := await episode.consult("reflect", leaf.id, ask):
        episode.lessons.append(lesson)


def _judge(episode: Episode) -> Judge:
    assert episode.judge is not None  # `Search.search` checked it
    return episode.judge

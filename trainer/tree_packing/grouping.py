"""Which rows are packed together: tries within a budget of tokens, cut where least is shared.

Sorted, rows stand in the order of their trie's walk, and a cut before a row costs the tokens that
it shares with the row before: those are computed twice. Of all ways to cut the order into groups
that fit, the best is found (a shortest path over the rows), fewer groups being better among equals;
where nothing is lost, small tries so share a group.
"""

from collections.abc import Sequence
from itertools import pairwise

from trainer.tokens.trie import pack, shared

Groups = list[list[int]]


def split(rows: Sequence[Sequence[int]], budget: int, most: int) -> Groups:
    """Numbers of rows, grouped; every row is in exactly one group.

    rows: token ids.   budget: distinct tokens of a group, at most; a row over it is alone.
    most: rows of a group, from 1.
    """
    order = sorted(range(len(rows)), key=lambda number: tuple(rows[number]))
    common = [0, *(shared(rows[one], rows[other]) for one, other in pairwise(order))]
    lengths = [len(rows[number]) for number in order]
    groups: Groups = []
    end = len(order)
    cuts = _cuts(lengths, common, budget, most)
    while end:
        groups.append(order[cuts[end] : end])
        end = cuts[end]
    return groups[::-1]


def distinct(rows: Sequence[Sequence[int]], groups: Groups) -> int:
    """Tokens that are computed, packed so."""
    return sum(pack([rows[number] for number in group]).distinct for group in groups)


def _cuts(lengths: list[int], common: list[int], budget: int, most: int) -> list[int]:
    """For each number of rows from the start, where the last group of their best grouping begins.

    common: tokens that a row shares with the one before.
    """
    best: list[tuple[int, int]] = [(0, 0)]  # tokens computed twice, groups
    cuts = [0]
    for end in range(1, len(lengths) + 1):
        tokens, found = 0, None
        for start in range(end - 1, max(end - most, 0) - 1, -1):
            # The group's first row is whole; the row after it leaves out what the two share.
            tokens += lengths[start] - (common[start + 1] if start + 1 < end else 0)
            if tokens > budget and start < end - 1:
                break
            lost, groups = best[start]
            candidate = (lost + common[start], groups + 1)
            if found is None or candidate < found[0]:
                found = candidate, start
        assert found is not None
        best.append(found[0])
        cuts.append(found[1])
    return cuts

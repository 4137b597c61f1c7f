"""Which rows are packed together: tries within a budget of tokens, cut where least is shared.

Sorting puts rows in the order of their trie's walk. A cut before a row costs the tokens that it
shares with the row before, since those are computed twice. Of all ways to cut the order into groups
that fit, the cheapest is found (a shortest path over the rows). Among equals, fewer groups win, so
small tries share a group if nothing is lost.
"""

from collections.abc import Sequence
from itertools import pairwise

from trainer.tokens.trie import pack, shared

Groups = list[list[int]]


def split(rows: Sequence[Sequence[int]], budget: int, most: int) -> Groups:
    """Return the indices of rows in groups; every row is in exactly one group.

    Args:
        rows: Token ids.
        budget: Maximum distinct tokens per group; a longer row is a group by itself.
        most: Maximum rows per group, at least 1.
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
    """Return the number of tokens that are computed with these groups."""
    return sum(pack([rows[number] for number in group]).distinct for group in groups)


def _cuts(lengths: list[int], common: list[int], budget: int, most: int) -> list[int]:
    """Return, for each number of first rows, where the last group of their best grouping begins.

    Args:
        lengths: Tokens of each row, in sorted order.
        common: Tokens that each row shares with the row before.
        budget: See `split`.
        most: See `split`.
    """
    best: list[tuple[int, int]] = [(0, 0)]  # tokens computed twice, groups
    cuts = [0]
    for end in range(1, len(lengths) + 1):
        tokens, found = 0, None
        for start in range(end - 1, max(end - most, 0) - 1, -1):
            # The group's first row counts whole; the next one without what the two share.
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

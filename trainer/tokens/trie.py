"""The token trie: rows of token ids that begin alike share what they share, each token once.

Rows are the sequences of a conversation, of all trajectories of a tree, of both halves of a pair.
The trie is kept packed, in the order of a depth-first walk, which is how it is trained on: one
sequence in which token i attends to token j where `j <= i < ends[j]` (its ancestors and itself),
at position `depths[i]`, and is foretold from `parents[i]`. What is computed once for a packed
token is what every row that holds it would compute (Tree Training, arXiv 2511.00413; for pairs,
arXiv 2410.20305).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Trie:
    """n nodes, depth first; children in the order of their token ids.

    ids: (n,) token ids.
    depths: (n,) how many tokens come before in a row; the position of the token.
    parents: (n,) index of the node before; -1 of a first token.
    ends: (n,) index after the node's subtree.
    weights: (n,) loss weight, summed over the rows; 0 where no row trains the token.
    rows: for each row, in the order given, the index of each of its tokens.
    """

    ids: Ints
    depths: Ints
    parents: Ints
    ends: Ints
    weights: NDArray[np.float64]
    rows: tuple[Ints, ...]

    @property
    def tokens(self) -> int:
        """In all rows together."""
        return sum(map(len, self.rows))

    @property
    def distinct(self) -> int:
        """Nodes."""
        return len(self.ids)

    @property
    def ratio(self) -> float:
        """Tokens in rows for one node: how many times faster packing could be, at best."""
        return self.tokens / self.distinct if self.distinct else 1.0


def pack(rows: Sequence[Sequence[int]], weights: Sequence[Sequence[float]] | None = None) -> Trie:
    """The trie of `rows`, of token ids.

    weights: as long as the rows; how much the loss of foretelling each token counts, from 0 up.
    None: 0 everywhere. A row given twice counts twice.

    Raises:
        ValueError: weights are not as long as their row, or a row's first token has one: nothing
            comes before it from which it could be foretold.
    """
    arrays = [np.asarray(row, dtype=np.int64) for row in rows]
    # Big-endian bytes sort as the rows do, at the speed of memcmp.
    keys = [array.astype(">u8").tobytes() for array in arrays]
    ids, depths, parents, ends = (np.empty(sum(map(len, arrays)), np.int64) for _ in range(4))
    placed: list[Ints] = [np.empty(0, np.int64)] * len(arrays)
    before = path = np.empty(0, np.int64)  # the row before, and where its tokens are
    size = 0
    for number in sorted(range(len(arrays)), key=keys.__getitem__):
        row = arrays[number]
        common = shared(before, row)
        ends[path[common:]] = size  # no later row goes on from these
        new = np.arange(size, size + len(row) - common)
        path = np.concatenate((path[:common], new))
        ids[new], depths[new] = row[common:], np.arange(common, len(row))
        parents[new] = np.concatenate(([-1], path))[common : len(row)]
        placed[number], before, size = path, row, size + len(new)
    ends[path] = size
    ids, depths, parents, ends = (column[:size].copy() for column in (ids, depths, parents, ends))
    return Trie(ids, depths, parents, ends, _summed(placed, weights, size), tuple(placed))


def shared(one: Sequence[int] | Ints, other: Sequence[int] | Ints) -> int:
    """How many ids both begin with."""
    length = min(len(one), len(other))
    differs = np.asarray(one[:length]) != np.asarray(other[:length])
    return int(differs.argmax()) if differs.any() else length


def _summed(
    placed: Sequence[Ints], weights: Sequence[Sequence[float]] | None, size: int
) -> NDArray[np.float64]:
    total = np.zeros(size)
    for path, row in zip(placed, weights or [], strict=weights is not None):
        given = np.asarray(row, dtype=np.float64)
        if given.shape != path.shape:
            raise ValueError(f"{len(given)} weights for a row of {len(path)} tokens")
        if len(given) and given[0]:
            raise ValueError("a row's first token has a weight, and nothing before it")
        total[path] += given
    return total

"""The token trie: sequences with a common prefix share its tokens, each stored once.

Rows are the sequences of a conversation, of all trajectories of a tree, or of both halves of a
pair. The trie is packed in depth-first order, which is how it is trained on: one sequence in which
token i attends to token j where `j <= i < ends[j]` (its ancestors and itself), has the position
`depths[i]`, and is predicted from `parents[i]`. So each packed token is computed once, with the
values that every row that holds it would compute (Tree Training, arXiv:2511.00413; for pairs,
arXiv:2410.20305).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Trie:
    """n nodes in depth-first order; children in the order of their token ids.

    Attributes:
        ids: (n,) Token ids.
        depths: (n,) Number of tokens before this one in a row: its position.
        parents: (n,) Index of the node before; -1 for a first token.
        ends: (n,) Index after the node's subtree.
        weights: (n,) Loss weight, summed over the rows; 0 where no row trains the token.
        rows: For each row, the index of each of its tokens.
    """

    ids: Ints
    depths: Ints
    parents: Ints
    ends: Ints
    weights: NDArray[np.float64]
    rows: tuple[Ints, ...]

    @property
    def tokens(self) -> int:
        """Number of tokens in all rows together."""
        return sum(map(len, self.rows))

    @property
    def distinct(self) -> int:
        """Number of nodes."""
        return len(self.ids)

    @property
    def ratio(self) -> float:
        """Tokens of rows per node: the largest possible speed-up of packing."""
        return self.tokens / self.distinct if self.distinct else 1.0


def pack(rows: Sequence[Sequence[int]], weights: Sequence[Sequence[float]] | None = None) -> Trie:
    """Return the trie of `rows`.

    Args:
        rows: Token ids. A row that occurs twice counts twice.
        weights: Loss weight of predicting each token of each row, at least 0; 0 if None.

    Raises:
        ValueError: Weights are not as long as their row; or a first token has a weight, although
            nothing precedes it from which it could be predicted.
    """
    arrays = [np.asarray(row, dtype=np.int64) for row in rows]
    # Big-endian bytes sort in the order of the rows, at the speed of memcmp.
    keys = [array.astype(">u8").tobytes() for array in arrays]
    ids, depths, parents, ends = (np.empty(sum(map(len, arrays)), np.int64) for _ in range(4))
    placed: list[Ints] = [np.empty(0, np.int64)] * len(arrays)
    before = path = np.empty(0, np.int64)  # the row before, and the indexes of its tokens
    size = 0
    for number in sorted(range(len(arrays)), key=keys.__getitem__):
        row = arrays[number]
        common = shared(before, row)
        ends[path[common:]] = size  # no later row continues from these
        new = np.arange(size, size + len(row) - common)
        path = np.concatenate((path[:common], new))
        ids[new], depths[new] = row[common:], np.arange(common, len(row))
        parents[new] = np.concatenate(([-1], path))[common : len(row)]
        placed[number], before, size = path, row, size + len(new)
    ends[path] = size
    ids, depths, parents, ends = (column[:size].copy() for column in (ids, depths, parents, ends))
    return Trie(ids, depths, parents, ends, _summed(placed, weights, size), tuple(placed))


def shared(one: Sequence[int] | Ints, other: Sequence[int] | Ints) -> int:
    """Return the length of the common prefix."""
    length = min(len(one), len(other))
    differs = np.asarray(one[:length]) != np.asarray(other[:length])
    return int(differs.argmax()) if differs.any() else length


def _summed(
    placed: Sequence[Ints], weights: Sequence[Sequence[float]] | None, size: int
) -> NDArray[np.float64]:
    total = np.zeros(size)
    for path, row in zip(placed, weights or [], strict=weights is not None):
        values = np.asarray(row, dtype=np.float64)
        if values.shape != path.shape:
            raise ValueError(f"{len(values)} weights for a row of {len(path)} tokens")
        if len(values) and values[0]:
            raise ValueError("a row's first token has a weight, and nothing before it")
        total[path] += values
    return total

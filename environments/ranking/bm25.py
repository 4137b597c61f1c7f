"""Lucene's BM25 (BM25Similarity of Lucene 8), in the float32 arithmetic that it uses.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, with
Lucene's changes: an idf that is never negative, no factor (k1 + 1), and the length of a document
kept in one byte. k1 and b are Anserini's defaults.
"""

import math

import numpy as np
from numpy.typing import NDArray

K1 = np.float32(0.9)
B = np.float32(0.4)
_ONE = np.float32(1)

_EXACT_LENGTHS = 24
"""Lengths below stand for themselves; those above keep four significant bits (SmallFloat)."""


def inverse_norms(lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the factor of a frequency: 1 / (k1 * (1 - b + b * length / mean length)).

    Args:
        lengths: terms of each document, stop words apart; each 1 or more.
    """
    if not len(lengths):
        return np.empty(0, np.float32)
    mean = np.float32(lengths.sum() / len(lengths))
    norms: NDArray[np.float32] = K1 * ((_ONE - B) + B * rounded(lengths).astype(np.float32) / mean)
    return _ONE / norms


def rounded(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return lengths after one byte: SmallFloat.byte4ToInt(intToByte4(length))."""
    above = np.maximum(lengths - _EXACT_LENGTHS, 0)
    _, bits = np.frexp(above.astype(np.float64))
    dropped = np.maximum(bits.astype(np.int64) - 4, 0)
    return np.where(
        lengths < _EXACT_LENGTHS, lengths, _EXACT_LENGTHS + (above >> dropped << dropped)
    )


def weight(documents: int, containing: int, times: int) -> np.float32:
    """Of a term that `containing` of the documents hold and that stands `times` in the query."""
    idf = np.float32(math.log(1 + (documents - containing + 0.5) / (containing + 0.5)))
    return np.float32(times) * idf


def impacts(
    weights: NDArray[np.float32], frequencies: NDArray[np.float32], inverse: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return what each posting adds to its document's score; one entry per posting.

    weight * f / (f + norm), as Lucene writes it so that it grows with f and falls with norm.
    """
    result: NDArray[np.float32] = weights - weights / (_ONE + frequencies * inverse)
    return result

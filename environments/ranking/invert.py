"""From postings in the order of documents to postings by term, block by block."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from environments.ranking.blocks import Blocks


class Postings(NamedTuple):
    """Those of term t lie from starts[t] to starts[t + 1], in any order.

    starts: one entry more than there are terms.
    documents, frequencies: one entry a posting, in the smallest type that holds them all.
    """

    starts: NDArray[np.int64]
    documents: NDArray[Any]
    frequencies: NDArray[Any]


def invert(
    blocks: Blocks, id_ranks: NDArray[np.int64], term_ranks: NDArray[np.int64], scratch: Path
) -> Postings:
    """Sort postings by term, and renumber documents and terms.

    Args:
        id_ranks: the new number of each document.
        term_ranks: the new number of each term.
        scratch: a folder; the postings are mapped to files in it.

    Raises:
        OSError: the disk is full.
    """
    counts, most = _count(blocks, len(term_ranks))
    starts = np.zeros(len(counts) + 1, np.int64)
    starts[1:][term_ranks] = counts
    np.cumsum(starts, out=starts)
    total = int(starts[-1])
    documents = _reserve(scratch / "documents", np.min_scalar_type(len(id_ranks)), total)
    frequencies = _reserve(scratch / "frequencies", np.min_scalar_type(most), total)
    free = starts[:-1].copy()
    for block in blocks:
        order, places = _places(term_ranks[block.terms], free)
        documents[places] = id_ranks[block.documents[order]]
        frequencies[places] = block.frequencies[order]
    return Postings(starts, documents, frequencies)


def _count(blocks: Blocks, terms: int) -> tuple[NDArray[np.int64], int]:
    """Return how many postings each term has, and the highest frequency."""
    counts, most = np.zeros(terms, np.int64), 0
    for block in blocks:
        counts += np.bincount(block.terms, minlength=terms)
        most = max(most, int(block.frequencies.max()))
    return counts, most


def _places(
    terms: NDArray[np.int64], free: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return the postings sorted by term, and the place of each; `free` places of terms move on."""
    order = np.argsort(terms, kind="stable")
    present, firsts, counts = np.unique(terms[order], return_index=True, return_counts=True)
    places = np.arange(len(order)) + np.repeat(free[present] - firsts, counts)
    free[present] += counts
    return order, places


def _reserve(path: Path, kind: np.dtype[Any], length: int) -> NDArray[Any]:
    """Room on the disk, taken at once: a mapping that finds the disk full kills the process."""
    if length == 0:
        return np.empty(0, kind)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, length * kind.itemsize)
    return np.memmap(path, kind, mode="r+", shape=(length,))

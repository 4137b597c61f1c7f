"""Postings on their way into an index: a block of them in memory, the rest in a file."""

from array import array
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Block(NamedTuple):
    """One entry a posting, in all three."""

    documents: NDArray[np.uint32]
    terms: NDArray[np.uint32]
    frequencies: NDArray[np.uint32]


class Blocks:
    """Which term stands in which document how often, in the order of documents.

    Args:
        file: where blocks go; empty, open for both reading and writing.
        postings: in a block. One document's are not parted.
    """

    def __init__(self, file: BinaryIO, postings: int) -> None:
        self._file = file
        self._postings = postings
        self._lengths: list[int] = []
        self._document = 0
        self._columns = (array("I"), array("I"), array("I"))

    def add(self, frequencies: Mapping[int, int]) -> None:
        """The next document: how often it has each of its terms."""
        documents, terms, counts = self._columns
        documents.extend([self._document] * len(frequencies))
        terms.extend(frequencies.keys())
        counts.extend(frequencies.values())
        self._document += 1
        if len(terms) >= self._postings:
            self.flush()

    def flush(self) -> None:
        """Move what is in memory to the file."""
        if not self._columns[0]:
            return
        self._lengths.append(len(self._columns[0]))
        for column in self._columns:
            column.tofile(self._file)
            del column[:]

    def __iter__(self) -> Iterator[Block]:
        """Yield all that was flushed, block by block."""
        self._file.seek(0)
        for length in self._lengths:
            data = np.frombuffer(self._file.read(3 * 4 * length), np.uint32)
            yield Block(*data.reshape(3, length))

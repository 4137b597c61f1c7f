"""A sorted list of strings in two arrays, so that a million of them cost no Python object each."""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def encode(text: str) -> bytes:
    """UTF-8, the order of which is the order of Lucene's terms and ids."""
    return text.encode("utf-8", "surrogatepass")


def pack(texts: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return all bytes, and where each string begins, with the end of the last."""
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return np.frombuffer(b"".join(texts), np.uint8), ends


class Strings:
    """What `pack` made, by place; `find` needs it sorted."""

    def __init__(self, data: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._data = data.data
        self._ends = ends.data  # items of which are plain integers

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: int) -> bytes:
        return bytes(self._data[self._ends[place] : self._ends[place + 1]])

    def find(self, text: bytes) -> int | None:
        """Its place in the list; None where it is not in it."""
        place = bisect_left(self, text)
        return place if place < len(self) and self[place] == text else None

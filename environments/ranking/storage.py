"""Named arrays in one file that is memory-mapped: processes that open it share its pages.

The arrays come first, each at a multiple of 64 bytes; then a table of them in JSON; then the length
and checksum of that table, and a mark. The table holds a checksum of all before it.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

_MARK = b"treegraft-arrays"
_TAIL = struct.Struct(f"<QI{len(_MARK)}s")  # length of the table, its checksum, mark
_ALIGNMENT = 64
_CHUNK = 1 << 24


class Damaged(Exception):
    """The file is not whole; it can be made again."""


def write_arrays(file: BinaryIO, arrays: Arrays) -> None:
    """Write the arrays, of one dimension each. An array on disk is copied piece by piece."""
    table: dict[str, tuple[str, int, int]] = {}
    checksum = position = 0
    for name, array in arrays.items():
        table[name] = (array.dtype.str, len(array), position)
        step = _CHUNK // array.itemsize
        pieces = [array[at : at + step] for at in range(0, len(array), step)]
        for data in (*(piece.tobytes() for piece in pieces), bytes(-array.nbytes % _ALIGNMENT)):
            file.write(data)
            checksum = zlib.crc32(data, checksum)
            position += len(data)
    listing = json.dumps({"arrays": table, "checksum": checksum}).encode()
    file.write(listing + _TAIL.pack(len(listing), zlib.crc32(listing), _MARK))


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file, read-only, mapped and not read.

    Raises:
        FileNotFoundError: there is none.
        Damaged: it was cut or changed.
    """
    if path.stat().st_size < _TAIL.size:
        raise Damaged(path)
    whole = np.memmap(path, np.uint8, mode="r")
    listing, end = _listing(whole, path)
    if zlib.crc32(whole[:end].data) != listing["checksum"]:
        raise Damaged(path)
    return {
        name: whole[start : start + length * np.dtype(kind).itemsize].view(kind)
        for name, (kind, length, start) in listing["arrays"].items()
    }


def _listing(whole: NDArray[np.uint8], path: Path) -> tuple[dict[str, Any], int]:
    """Return the table, and where the arrays end."""
    length, checksum, mark = _TAIL.unpack(whole[-_TAIL.size :].tobytes())
    end = len(whole) - _TAIL.size - length
    if mark != _MARK or end < 0:
        raise Damaged(path)
    listing = whole[end : -_TAIL.size].tobytes()
    if zlib.crc32(listing) != checksum:
        raise Damaged(path)
    return json.loads(listing), end

"""Read the elements of a JSON file one by one: the full shop's file is 5 GB of one list."""

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import ijson

from environments.errors import DataError


def elements(path: Path) -> Iterator[Any]:
    """Yield the elements of the JSON list in `path`; a `DataError` names the file and the place."""
    with _opened(path, b"[") as file:
        yield from _checked(path, ijson.items(file, "item", use_float=True))


def members(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of the JSON object in `path`; errors as for `elements`."""
    with _opened(path, b"{") as file:
        yield from _checked(path, ijson.kvitems(file, "", use_float=True))


@contextmanager
def _opened(path: Path, mark: bytes) -> Iterator[BinaryIO]:
    """Open a file whose content starts with `mark`; ijson itself finds no elements in others."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    with file:
        if file.peek().startswith(codecs.BOM_UTF8):
            file.read(len(codecs.BOM_UTF8))
        if not file.peek().lstrip().startswith(mark):
            raise _fault(path, 0, f"{mark.decode()!r} is missing")
        yield file


def _checked(path: Path, values: Iterator[Any]) -> Iterator[Any]:
    done = 0
    try:
        for value in values:
            yield value
            done += 1
    except ijson.JSONError as error:
        why = error.args[0]
        why = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        raise _fault(path, done, why.partition("\n")[0]) from error


def _fault(path: Path, done: int, why: str) -> DataError:
    return DataError(f"{path}: record {done}: not JSON as the shop's files are: {why}")

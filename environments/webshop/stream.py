"""Read the elements of a JSON file one by one: the full shop's file is 5 GB of one list."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from environments.errors import DataError

_DECODER = json.JSONDecoder()
CHUNK = 1 << 20
"""Characters that are read at once, at least."""


def elements(path: Path, chunk: int = CHUNK) -> Iterator[Any]:
    """The elements of the JSON list in `path`.

    Raises:
        DataError: it cannot be read, or holds something else; names the element.
    """
    with _opened(path) as file:
        text = _Text(path, file, chunk)
        text.expect("[")
        while not text.skip("]"):
            yield text.value()
            text.next_or_end("]")


def members(path: Path, chunk: int = CHUNK) -> Iterator[tuple[str, Any]]:
    """The names and values of the JSON object in `path`. Raises DataError as `elements` does."""
    with _opened(path) as file:
        text = _Text(path, file, chunk)
        text.expect("{")
        while not text.skip("}"):
            name = text.value()
            text.expect(":")
            yield name, text.value()
            text.next_or_end("}")


def _opened(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


class _Text:
    """The part of a file that is not yet decoded. `done` elements lie before it."""

    def __init__(self, path: Path, file: TextIO, chunk: int) -> None:
        self.path, self.file, self.chunk, self.done = path, file, chunk, 0
        self.buffer, self.at, self.complete = "", 0, False

    def value(self) -> Any:
        """The JSON value that comes next."""
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.buffer, self.at)
            except ValueError as error:
                if self.complete:
                    raise self._fault(str(error)) from error
            else:
                # A number at the end of what is read may go on.
                if end < len(self.buffer) or self.complete:
                    self.at = end
                    return value
            self._fill()

    def expect(self, mark: str) -> None:
        if not self.skip(mark):
            raise self._fault(f"{mark!r} is missing")

    def skip(self, mark: str) -> bool:
        """Whether `mark` comes next; goes past it."""
        found = self._peek() == mark
        self.at += found
        return found

    def next_or_end(self, end: str) -> None:
        self.done += 1
        if self._peek() != end:
            self.expect(",")

    def _peek(self) -> str:
        """The next mark, "" at the end of the file; stands on it."""
        while True:
            while self.at < len(self.buffer):
                if not self.buffer[self.at].isspace():
                    return self.buffer[self.at]
                self.at += 1
            if self.complete:
                return ""
            self._fill()

    def _fill(self) -> None:
        """Read at least as much again as is waiting, so that long values are not quadratic."""
        self.buffer = self.buffer[self.at :]
        self.at = 0
        try:
            more = self.file.read(max(self.chunk, len(self.buffer)))
        except (OSError, UnicodeDecodeError) as error:
            raise self._fault(str(error)) from error
        self.complete = not more
        self.buffer += more

    def _fault(self, why: str) -> DataError:
        return DataError(
            f"{self.path}: record {self.done}: not JSON as the shop's files are: {why}"
        )

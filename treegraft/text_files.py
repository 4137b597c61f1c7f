"""Read text that a user's file holds, whatever program wrote it.

UTF-8 and UTF-16 with or without a byte order mark, UTF-32 with one; lines end with a line feed,
with or without a carriage return. Other characters that `str.splitlines` takes for the end of a
line (U+2028, form feed) are text.
"""

import codecs
import errno
import io
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from treegraft.file_errors import FileError, reason

PATIENCE_SECONDS = 1.0
"""How long a pipe may have no program at its other end."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(file: Path) -> str:
    """Return the text of `file`.

    Raises:
        FileError: It cannot be read, or it is not text.
    """
    try:
        return decode(read_bytes(file))
    except UnicodeDecodeError as error:
        raise FileError(f"cannot read {file}: {not_text(error)}") from error


def read_lines(file: Path) -> Iterator[str]:
    """Yield the lines of `file` without their ends, one in memory at a time.

    Raises:
        FileError: It cannot be read, or it is not text.
    """
    with open_file(file) as data:
        try:
            encoding = _encoding(data.read(4))
            data.seek(0)
            with io.TextIOWrapper(data, encoding, newline="\n") as lines:
                for line in lines:
                    yield line.removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise FileError(f"cannot read {file}: {not_text(error)}") from error
        except OSError as error:
            raise FileError(f"cannot read {file}: {reason(error)}") from error


def read_bytes(file: Path) -> bytes:
    """Return the content of `file`.

    Raises:
        FileError: It cannot be read.
    """
    with open_file(file) as data:
        try:
            return data.read()
        except OSError as error:
            raise FileError(f"cannot read {file}: {reason(error)}") from error


def open_file(file: Path) -> BinaryIO:
    """Open `file`, which may be a pipe, for reading; what it returns can be sought in.

    Raises:
        FileError: It is something else, or cannot be read; also a pipe into which nobody writes.
    """
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise FileError(f"cannot read {file}: {reason(error)}") from error
    except ValueError as error:  # a NUL in the name
        raise FileError(f"cannot read {str(file)!r}: {error}") from error
    try:
        return _opened(handle, file)
    except BaseException:
        os.close(handle)
        raise


def decode(data: bytes) -> str:
    """Return `data` as text, without a byte order mark, its lines ending with line feeds.

    Raises:
        UnicodeDecodeError: It is not text.
    """
    return data.decode(_encoding(data[:4])).replace("\r\n", "\n")


def not_text(error: UnicodeDecodeError) -> str:
    """Return in one line why bytes are not text."""
    return f"not UTF-8 or UTF-16 text (byte {error.start}: {error.reason}); convert it to UTF-8"


def _encoding(start: bytes) -> str:
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    if len(start) >= 2 and (start[0] == 0) != (start[1] == 0):  # the text begins with ASCII
        return "utf-16-be" if start[0] == 0 else "utf-16-le"
    return "utf-8"


def _opened(handle: int, file: Path) -> BinaryIO:
    found = os.fstat(handle)
    if stat.S_ISDIR(found.st_mode):
        error = IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        raise FileError(f"cannot read {file}: {reason(error)}")
    if stat.S_ISFIFO(found.st_mode) or os.isatty(handle):
        with os.fdopen(handle, "rb", buffering=0, closefd=False) as stream:
            content = io.BytesIO(_drained(stream, file))
        os.close(handle)
        return content
    if not (stat.S_ISREG(found.st_mode) or os.path.samestat(found, os.stat(os.devnull))):
        raise FileError(f"cannot read {file}: it is a device; name a file")  # perhaps endless
    return os.fdopen(handle, "rb")


def _drained(stream: io.FileIO, file: Path) -> bytes:
    """Return all that comes through a pipe, once some program holds its other end."""
    start = stream.read(1)
    give_up = time.monotonic() + PATIENCE_SECONDS
    while start == b"":  # nobody has written yet, or somebody wrote nothing
        if time.monotonic() > give_up:
            raise FileError(f"cannot read {file}: no program writes into this pipe")
        time.sleep(0.01)
        start = stream.read(1)
    os.set_blocking(stream.fileno(), True)
    return (start or b"") + stream.readall()

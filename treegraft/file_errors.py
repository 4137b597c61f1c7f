"""What the system says about a file that a user named, as one line that says what to do."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike

from treegraft.errors import UsageError

_HINTS = {
    errno.EACCES: "change its permissions, or name another",
    errno.EEXIST: "a file is where a folder is needed; name another",
    errno.EISDIR: "name a file",
    errno.ELOOP: "its symbolic links lead in a circle",
    errno.ENAMETOOLONG: "choose a shorter one",
    errno.ENOENT: "check the name",
    errno.ENOSPC: "free some, then run the same command",
    errno.EDQUOT: "free some, then run the same command",
    errno.ENOTDIR: "a file is where a folder is needed; name another",
    errno.ENXIO: "no program is at the other end of this pipe",
    errno.EROFS: "name another place",
}
MEDIUM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS})
"""Trouble with the disk, never a defect of ours; such an error may name no file."""


class FileError(UsageError):
    """A file or a folder that the user named cannot be read or written."""


def reason(error: OSError) -> str:
    """Return what the system says, and what to do."""
    said = error.strerror or str(error)
    hint = _HINTS.get(error.errno or 0)
    return f"{said}; {hint}" if hint else said


@contextmanager
def told(what: str, *own: str | PathLike[str]) -> Iterator[None]:
    """Turn an OSError about the files `own`, or about the disk as a whole, into a FileError.

    Args:
        what: Beginning of the message, such as "cannot write rows.jsonl".
        own: Files and folders that the user named; what is above and below them counts, too.

    Raises:
        FileError: Such an error. Others pass: they are defects.
    """
    try:
        yield
    except OSError as error:
        if not concerns(error, own):
            raise
        raise FileError(f"{what}: {reason(error)}") from error


def concerns(error: OSError, own: Sequence[str | PathLike[str]]) -> bool:
    """Return whether `error` is about the files `own` or the disk, not about a file of ours."""
    if error.errno in MEDIUM:
        return True
    if not isinstance(error.filename, str | bytes | PathLike):
        return False
    named = _parts(error.filename)
    return any(_related(named, _parts(each)) for each in own)


def _related(one: list[str], other: list[str]) -> bool:
    """Return whether one path is the other, or above it."""
    return all(a == b for a, b in zip(one, other, strict=False))


def _parts(name: "str | bytes | PathLike[str] | PathLike[bytes]") -> list[str]:
    return [part for part in os.path.abspath(os.fsdecode(name)).split(os.sep) if part]

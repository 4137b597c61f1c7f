"""Write files that a user names: complete, or not there at all.

A regular file is replaced at once. What cannot be replaced is written through, when everything is
known: standard output ("-"), a pipe, a device; of a symbolic link, the file that it leads to.
"""

import errno
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from treegraft import text_files
from treegraft.file_errors import FileError, reason, told

_STANDARD = {"-": 1, "/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTORS = ("/dev/fd", "/proc/self/fd")
_MOST_LINKS = 40
_numbers = count()


@contextmanager
def atomic_write(file: Path) -> Iterator[Path]:
    """Yield a path to write to; at the end its content replaces `file`, or goes through it.

    The content is synced first, so that a power failure leaves either the old file or the new
    one. After an error the old file stays.

    Raises:
        FileError: The file cannot be written there.
    """
    with _told(file):
        target = _followed(file)
    with _told(file, target), _draft(target) as part:
        yield part


@contextmanager
def _told(file: Path, target: Path | int = 1) -> Iterator[None]:
    also = [target] if isinstance(target, Path) else []
    try:
        with told(f"cannot write {file}", file, *also):
            yield
    except ValueError as error:
        if "embedded null" not in str(error):
            raise
        raise FileError(f"cannot write {str(file)!r}: {error}") from error


def write_text(file: Path, text: str) -> None:
    """Replace the content of `file` by `text`; see `atomic_write`."""
    with atomic_write(file) as part:
        part.write_text(text, "utf-8")


def beside(*outputs: Path | None) -> TextIO:
    """Return where to print results: not among a file that goes through standard output."""
    return sys.stderr if any(map(is_standard_output, outputs)) else sys.stdout


def is_standard_output(file: Path | None) -> bool:
    """Return whether what is written to `file` appears on standard output."""
    return file is not None and _followed(file) == 1


@contextmanager
def _draft(target: Path | int) -> Iterator[Path]:
    if isinstance(target, int) or _is_stream(target):
        with TemporaryDirectory() as scratch:
            part = Path(scratch) / "part"
            yield part
            _send(part, target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent / f".{os.getpid()}-{next(_numbers)}.part"  # the name may be long already
    try:
        yield part
        _replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _followed(file: Path) -> Path | int:
    """Return the file to which symbolic links lead, or the number of an open descriptor."""
    followed = file
    for _ in range(_MOST_LINKS):
        if (number := _descriptor(followed)) is not None:
            return number
        if not followed.is_symlink():
            return followed
        followed = followed.parent / os.readlink(followed)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(file))


def _descriptor(file: Path) -> int | None:
    if str(file.parent) in _DESCRIPTORS and file.name.isdecimal():
        return int(file.name)
    return _STANDARD.get(str(file))


def is_stream(file: Path) -> bool:
    """Return whether `file` is standard output, a pipe or a device, which any format may enter.

    Raises:
        FileError: It is a folder, or may not be written.
    """
    with _told(file):
        target = _followed(file)
    with _told(file, target):
        return isinstance(target, int) or _is_stream(target)


def make_folder(folder: Path) -> None:
    """Make a folder that the user named, and those above it; one that exists is kept.

    Raises:
        FileError: It cannot be made.
    """
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)


def check_writable(file: Path) -> None:
    """Check, before long work, that `file` can be written at its end; write nothing.

    Raises:
        FileError: It cannot.
    """
    if is_stream(file):
        return
    with _told(file):
        _check_folder(next(each for each in file.absolute().parents if each.exists()))


def check_folder(folder: Path) -> None:
    """Check, before long work, that files can be written into `folder`, which may not exist yet.

    Raises:
        FileError: They cannot.
    """
    with _told(folder):
        _check_folder(next(each for each in (folder, *folder.absolute().parents) if _there(each)))


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    _check_permission(folder)


def _there(place: Path) -> bool:
    """Return whether there is something at `place`, be it a link that leads nowhere."""
    return place.exists() or place.is_symlink()


def _is_stream(target: Path) -> bool:
    """Return whether `target` is a pipe or a device.

    Raises:
        OSError: It is a folder, or may not be written.
    """
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    _check_permission(target)
    return not stat.S_ISREG(mode)


def _check_permission(target: Path) -> None:
    if not os.access(target, os.W_OK):
        read_only = os.statvfs(target).f_flag & os.ST_RDONLY
        code = errno.EROFS if read_only else errno.EACCES
        raise OSError(code, os.strerror(code), str(target))


def _replace(part: Path, target: Path) -> None:
    with part.open("rb") as written:
        os.fsync(written.fileno())
    if target.exists():
        part.chmod(stat.S_IMODE(target.stat().st_mode))
    part.replace(target)


def _send(part: Path, target: Path | int) -> None:
    """Copy a finished file to a pipe, a device or an open descriptor."""
    if target == 1:
        sys.stdout.flush()
    try:
        handle = os.dup(target) if isinstance(target, int) else _open_stream(target)
        with part.open("rb") as content, os.fdopen(handle, "wb") as stream:
            shutil.copyfileobj(content, stream)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(f"cannot write {_shown(target)}: {reason(error)}") from error


def _shown(target: Path | int) -> str:
    return "standard output" if target == 1 else str(target)


def _open_stream(target: Path) -> int:
    """Open a pipe or a device for writing, once a pipe has a reader."""
    give_up = time.monotonic() + text_files.PATIENCE_SECONDS
    while True:
        try:
            handle = os.open(target, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            break
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
    os.set_blocking(handle, True)
    return handle

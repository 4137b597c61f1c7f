"""Walk, copy and remove files that may be hostile: too deep, unreadable, links, pipes.

Only while no process can change them. We own all of them.
"""

import contextlib
import os
import stat
from collections.abc import Iterator

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def walk(top: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield paths below `top`, relative to it, a directory before what is in it.

    Links are not followed. Directories that may not be read are made readable.

    Raises:
        OSError: they are nested deeper than a path can express.
    """
    rest = [""]
    while rest:
        folder = rest.pop()
        for name, seen in _listing(os.path.join(top, folder)):
            path = os.path.join(folder, name)
            yield path, seen
            if stat.S_ISDIR(seen.st_mode):
                rest.append(path)


def _listing(folder: str) -> list[tuple[str, os.stat_result]]:
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        os.chmod(folder, 0o700)
    with os.scandir(folder) as found:
        return sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in found)


def listed(top: str, most: int) -> list[tuple[str, int | None]]:
    """List what is below `top` but folders, unordered; regular files with their size.

    Nothing is changed: what may not be read stays unread. Stops after about `most` paths.
    """
    found: list[tuple[str, int | None]] = []
    for folder, _, names in os.walk(top):
        for name in names:
            with contextlib.suppress(OSError):  # the path may be too long
                seen = os.lstat(os.path.join(folder, name))
                path = os.path.relpath(os.path.join(folder, name), top)
                shown = os.fsencode(path).decode("utf-8", "replace")
                found.append((shown, seen.st_size if stat.S_ISREG(seen.st_mode) else None))
        if len(found) >= most:
            break
    return found


@contextlib.contextmanager
def reading(path: str, folder: int | None = None) -> Iterator[int]:
    """Open the regular file `path` (in the open directory `folder`), or raise `OSError`."""
    named = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        mode = os.fstat(named).st_mode
        if not stat.S_ISREG(mode):
            raise FileNotFoundError(f"{path} is not a regular file")
        # By number: the name may belong to another file by now.
        this = f"/proc/self/fd/{named}"
        try:
            descriptor = os.open(this, READ & ~os.O_NOFOLLOW)
        except PermissionError:
            os.chmod(this, 0o600)
            descriptor = os.open(this, READ & ~os.O_NOFOLLOW)
            os.chmod(this, stat.S_IMODE(mode))
    finally:
        os.close(named)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def reading_beneath(top: str, path: str) -> Iterator[int]:
    """Open a regular file below `top`, no part of whose path is a link.

    Raises:
        OSError: there is none.
        ValueError: the path has a null character.
    """
    *folders, name = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in (*folders, name):
        raise FileNotFoundError(f"{path!r} is not a path below the working directory")
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    place = os.open(top, flags & ~os.O_NOFOLLOW)
    try:
        for folder in folders:
            below = os.open(folder, flags, dir_fd=place)
            os.close(place)
            place = below
        with reading(name, place) as descriptor:
            yield descriptor
    finally:
        os.close(place)


def copy(source: int, target: int) -> None:
    """Copy the whole file, from one descriptor to another; share blocks where possible."""
    size, done, share = os.fstat(source).st_size, 0, True
    while done < size:
        try:
            if share:
                moved = os.copy_file_range(source, target, size - done, done, done)
            else:
                moved = os.sendfile(target, source, done, size - done)
        except OSError:
            if not share:
                raise
            share = False
            os.lseek(target, done, os.SEEK_SET)
            continue
        if not moved:
            return
        done += moved


def remove(path: str, aside: str) -> None:
    """Remove whatever is at `path`.

    Directories are moved up before they are emptied, so that no depth is too deep.

    Args:
        aside: an existing directory on the same file system, for our use.
    """
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)
        return
    pending, count = [path], 0
    while pending:
        folder = pending.pop()
        os.chmod(folder, 0o700)
        descriptor = os.open(folder, READ | os.O_DIRECTORY)
        try:
            for name in os.listdir(descriptor):
                try:
                    os.unlink(name, dir_fd=descriptor)
                except IsADirectoryError:
                    count += 1
                    os.chmod(name, 0o700, dir_fd=descriptor)
                    moved = os.path.join(aside, f".removed-{os.getpid()}-{count}")
                    os.rename(name, moved, src_dir_fd=descriptor)
                    pending.append(moved)
        finally:
            os.close(descriptor)
        os.rmdir(folder)

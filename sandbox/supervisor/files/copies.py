"""A node's files, saved as copies: works everywhere, and costs what has changed.

`home` shows the files of one node at a time. Saved files lie where no node can reach them: small
ones in the supervisor's memory, large ones in nameless files (in memory if `home` is, else on its
file system, so that Btrfs and XFS share the blocks). An unchanged file is saved once for all nodes.
Unchanged means the same inode, size and change time, which no process can set; and the same bytes,
if we looked so soon after a change that the clock may not show it.

Limitations: hard links come back as separate files, sockets and device nodes not at all; extended
attributes and owners are not saved.
"""

import contextlib
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass

from .base import FOLDERS, Full
from .safe_files import copy, reading, remove, walk

SMALL = 64 << 10
"""Bytes of a file that is kept in memory."""
TICK = 20_000_000
"""Nanoseconds within which two changes may have the same change time (two ticks at 100 Hz)."""


@dataclass(frozen=True, slots=True, eq=False)
class Blob:
    """The contents of a file: in memory, or in the nameless file `descriptor`."""

    data: bytes = b""
    descriptor: int = -1
    size: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, directory, symbolic link or FIFO.

    Attributes:
        modified: time in nanoseconds.
        target: of a link.
        blob: contents of a file.
        stamp: inode, size and change time of a file when we looked.
        sure: whether another change would have another stamp.
    """

    mode: int
    modified: int
    target: str = ""
    blob: Blob | None = None
    stamp: tuple[int, int, int] = (0, 0, 0)
    sure: bool = False


Copy = Mapping[str, Entry]
"""By path relative to home; a directory comes before what is in it."""


class Copies:
    """Files of nodes as copies; see `Files`."""

    name = "copy"

    def __init__(self, home: str, most_bytes: int, most_files: int, in_memory: bool) -> None:
        """Start without saved files; if home is in memory, everything has to be."""
        self._home, self._most_bytes, self._most_files = home, most_bytes, most_files
        self._in_memory = in_memory
        self._shown: Copy = {}
        self._resumed: list[Copy] = []
        """Given up by a node that goes on; kept until its next state has its share of the blobs."""
        self._users: dict[Blob, int] = {}
        self.held = 0

    def initial(self) -> Copy:
        """See `Files`."""
        for folder in FOLDERS:
            os.makedirs(os.path.join(self._home, folder), exist_ok=True)
        return self.save()

    def save(self) -> Copy:
        """See `Files`."""
        entries: dict[str, Entry] = {}
        left = self._most_bytes
        try:
            for path, seen in walk(self._home):
                left -= seen.st_size + 256
                if left < 0 or len(entries) >= self._most_files:
                    raise Full("the files are too many, or too large")
                entry = self._entry(path, seen)
                if entry is not None:
                    entries[path] = entry
        except OSError as error:
            self.release(entries)
            raise Full(str(error)) from error
        except Full:
            self.release(entries)
            raise
        self._shown = entries
        self._free_resumed()
        return entries

    def detach(self) -> None:
        """Do nothing: what is saved is a copy."""

    def show_to_read(self, kept: Copy) -> None:
        """See `Files`."""
        if kept is not self._shown:
            self.show(kept)

    def show(self, kept: Copy) -> None:
        """See `Files`."""
        self._free_resumed()
        there = self._clear_for(kept)
        self._shown = {
            path: there.get(path) or self._make(path, entry) for path, entry in kept.items()
        }
        # Last, because making a directory's contents needs write access and changes its time.
        for path, entry in reversed(list(kept.items())):
            if stat.S_ISDIR(entry.mode):
                os.chmod(self._at(path), stat.S_IMODE(entry.mode))
                os.utime(self._at(path), ns=(entry.modified, entry.modified))

    def resume(self, kept: Copy) -> None:
        """See `Files`."""
        if kept is not self._shown:
            self.show(kept)
        self._resumed.append(kept)

    def clean_up(self, most: int) -> None:
        """Do nothing: what is given up is gone at once."""

    def _free_resumed(self) -> None:
        while self._resumed:
            self.release(self._resumed.pop())

    def release(self, kept: Copy) -> None:
        """See `Files`."""
        for entry in kept.values():
            if entry.blob is None:
                continue
            self._users[entry.blob] -= 1
            if not self._users[entry.blob]:
                del self._users[entry.blob]
                self.held -= entry.blob.size
                if entry.blob.descriptor >= 0:
                    os.close(entry.blob.descriptor)

    def _at(self, path: str) -> str:
        return os.path.join(self._home, path)

    def _clear_for(self, kept: Copy) -> dict[str, Entry]:
        """Remove what differs from `kept`; return what is left."""
        try:
            found = list(walk(self._home))
        except OSError:  # too deep to be walked: nothing of it was saved
            found = []
            for name in os.listdir(self._home):
                remove(self._at(name), self._home)
        left: dict[str, Entry] = {}
        locked = _locked()
        for path, seen in reversed(found):
            entry, shown = kept.get(path), self._shown.get(path)
            if entry and stat.S_ISDIR(entry.mode) and stat.S_ISDIR(seen.st_mode):
                left[path] = entry
            elif (
                entry
                and shown
                and entry.blob is shown.blob
                and seen.st_ino not in locked
                and self._same(path, shown, seen)
            ):
                left[path] = shown
            else:
                remove(self._at(path), self._home)
        return left

    def _same(self, path: str, known: Entry, seen: os.stat_result) -> bool:
        """Return whether the file at `path` is still what it was when it became `known`."""
        if known.blob is None or known.mode != seen.st_mode or known.stamp != _stamp(seen):
            return False
        return known.sure or self._holds(path, known.blob)

    def _holds(self, path: str, blob: Blob) -> bool:
        with reading(self._at(path)) as descriptor:
            at = 0
            while data := os.pread(descriptor, 1 << 20, at):
                if data != _slice(blob, at, len(data)):
                    return False
                at += len(data)
        return at == blob.size

    def _entry(self, path: str, seen: os.stat_result) -> Entry | None:
        """Return what is at `path` now, with a share in its contents."""
        mode, modified = seen.st_mode, seen.st_mtime_ns
        if stat.S_ISLNK(mode):
            return Entry(mode, modified, target=os.readlink(self._at(path)))
        if not stat.S_ISREG(mode):
            return Entry(mode, modified) if stat.S_ISDIR(mode) or stat.S_ISFIFO(mode) else None
        sure = time.time_ns() - seen.st_ctime_ns > TICK
        known = self._shown.get(path)
        if known and known.blob in self._users and self._same(path, known, seen):
            blob = known.blob
        else:
            blob = self._put_away(path, seen)
        assert blob is not None
        if blob not in self._users:
            self.held += blob.size
        self._users[blob] = self._users.get(blob, 0) + 1
        return Entry(mode, modified, blob=blob, stamp=_stamp(seen), sure=sure)

    def _put_away(self, path: str, seen: os.stat_result) -> Blob:
        with reading(self._at(path)) as source:
            if seen.st_size <= SMALL:
                return Blob(data=os.read(source, SMALL), size=seen.st_size)
            blob = Blob(descriptor=self._nameless(), size=seen.st_size)
            copy(source, blob.descriptor)
        return blob

    def _nameless(self) -> int:
        if self._in_memory:
            return os.memfd_create("kept", os.MFD_CLOEXEC)
        return os.open(self._home, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)

    def _make(self, path: str, entry: Entry) -> Entry:
        """Make it anew: with an inode that no descriptor of another branch leads to."""
        full, mode = self._at(path), stat.S_IMODE(entry.mode)
        if entry.blob is not None:
            return self._write(full, entry, entry.blob)
        if stat.S_ISLNK(entry.mode):
            os.symlink(entry.target, full)
            os.utime(full, ns=(entry.modified, entry.modified), follow_symlinks=False)
        elif stat.S_ISDIR(entry.mode):
            os.mkdir(full, 0o700)
        else:
            os.mkfifo(full, mode)
        return entry

    def _write(self, full: str, entry: Entry, blob: Blob) -> Entry:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        descriptor = os.open(full, flags, 0o600)
        with contextlib.closing(os.fdopen(descriptor, "wb", buffering=0)) as file:
            if blob.descriptor >= 0:
                copy(blob.descriptor, descriptor)
            else:
                file.write(blob.data)
            os.fchmod(descriptor, stat.S_IMODE(entry.mode))
            os.utime(descriptor, ns=(entry.modified, entry.modified))
            made = os.fstat(descriptor)
        return Entry(entry.mode, entry.modified, blob=blob, stamp=_stamp(made))


def _locked() -> set[int]:
    """Return inodes that a stopped node may hold a lock on: a branch needs its own file there."""
    with open("/proc/locks") as locks:
        return {int(line.split()[-3].rpartition(":")[2]) for line in locks if "->" not in line}


def _stamp(seen: os.stat_result) -> tuple[int, int, int]:
    return seen.st_ino, seen.st_size, seen.st_ctime_ns


def _slice(blob: Blob, at: int, length: int) -> bytes:
    if blob.descriptor < 0:
        return blob.data[at : at + length]
    return os.pread(blob.descriptor, length, at)

"""SQLite files as workers read them: unchanging, with every commit, each alone.

A worker opens a database without locks, journals or writes, so it would not see what lies in a
write-ahead log, nor undo what a hot journal has to undo. Where there is either, SQLite brings a
copy of the database up to date in a scratch folder, and the worker reads that.

Limitation: a program that writes while the database is copied is noticed, not waited for.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from sandbox.errors import DatabaseChanged, DatabaseUnreadable, SandboxError
from sandbox.owner import discard, make_scratch, scratch_path

LOG, JOURNAL = "-wal", "-journal"
LOG_HEADER = 32
"""Bytes of a write-ahead log that holds no commit."""
HOT = bytes.fromhex("d9d505f920a163d7")
"""First bytes of a journal that may have to be undone."""
COUNTER = slice(24, 28)
"""Place of the change counter in a database's header."""
TRIES = 3

_expected: dict[Path, str] = {}


def expect(databases: Iterable[str | os.PathLike[str]]) -> dict[str, str]:
    """Note the state of databases; workers of this process then refuse those that have changed.

    Returns:
        A text for each path, equal as long as the file is the same; "" if there is no such file.
    """
    found = {}
    for database in dict.fromkeys(os.fspath(each) for each in databases):
        path = Path(database).resolve()
        found[database] = _expected[path] = state(path)
    return found


def state(path: Path) -> str:
    """Return a text that changes when a program writes to a database: sizes, times, counter."""
    try:
        facts = path.stat()
        with path.open("rb") as file:
            counter = file.read(COUNTER.stop)[COUNTER].hex()
        found: list[int | str] = [facts.st_size, facts.st_mtime_ns, counter]
        for pending in _pending(path):
            facts = pending.stat()
            found += [pending.name.rpartition("-")[2], facts.st_size, facts.st_mtime_ns]
    except OSError:  # also of a log that has just gone
        return ""
    return " ".join(map(str, found))


def _pending(path: Path) -> list[Path]:
    """Return the log and the journal that hold what the file itself does not, or should not."""
    found = []
    log, journal = (path.with_name(path.name + ending) for ending in (LOG, JOURNAL))
    try:
        if log.is_file() and log.stat().st_size > LOG_HEADER:
            found.append(log)
        if journal.is_file():
            with journal.open("rb") as file:
                if file.read(len(HOT)) == HOT:
                    found.append(journal)
    except OSError as error:
        raise DatabaseUnreadable(f"cannot read {path} with its log: {error}") from error
    return found


class DatabaseFiles:
    """The databases of one worker. `close` removes the copies; later use makes them again."""

    def __init__(self) -> None:
        self._states: dict[Path, str] = {}
        self._copies: dict[Path, Path] = {}
        self._scratch: Path | None = None

    def plain(self, databases: Iterable[str | os.PathLike[str]]) -> list[Path]:
        """Return those of `databases` that can be read as they are, with links resolved."""
        paths = dict.fromkeys(Path(database).resolve() for database in databases)
        return [path for path in paths if _open_to_all(path) and not _pending(path)]

    def readable(self, database: str | os.PathLike[str]) -> Path:
        """Return the file to read in place of `database`: itself, or a copy.

        Raises:
            DatabaseChanged: it is not as it was at its first use, or as `expect` found it.
            SandboxError: there is no such file, or it cannot be copied.
        """
        path = Path(database).resolve()
        if not path.is_file():
            raise DatabaseUnreadable(f"cannot open database {path}: no database is there")
        now = state(path)
        first = self._states.setdefault(path, _expected.get(path, now))
        if now != first:
            raise DatabaseChanged(
                f"the database {path} has changed since this run began to read it: let no program "
                "write to it, and run the same command again"
            )
        if path not in self._copies:
            if not _pending(path):
                return path
            self._copies[path] = self._copy(path)
        return self._copies[path]

    def _copy(self, path: Path) -> Path:
        if self._scratch is None:
            place = scratch_path()
            make_scratch(place)
            self._scratch = place
        folder = self._scratch / str(len(self._copies))
        target = folder / path.name
        for _ in range(TRIES):
            before = state(path)
            _copy_files([path, *_pending(path)], folder)
            if state(path) == before == self._states[path]:
                _bring_up_to_date(path, target)
                return target
        raise DatabaseChanged(f"the database {path} is being written to: end that program first")

    def close(self) -> None:
        """Remove the copies. Twice is fine."""
        if self._scratch is not None:
            discard(self._scratch)
            self._scratch = None
        self._copies.clear()


def _open_to_all(path: Path) -> bool:
    """Return whether the sandbox's user can read a file, too."""
    try:
        return path.is_file() and bool(path.stat().st_mode & 0o4)
    except OSError:
        return False


def _copy_files(paths: Iterable[Path], folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir()
        folder.chmod(0o755)
        for path in paths:
            target = folder / path.name
            shutil.copyfile(path, target)
            target.chmod(0o644)  # the sandbox's user is another one
    except OSError as error:
        raise SandboxError(f"cannot copy a database with its log to {folder}: {error}") from error


def _bring_up_to_date(path: Path, copy: Path) -> None:
    """Let SQLite apply the log, or undo the journal, of the copy of `path`."""
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        raise DatabaseUnreadable(f"cannot read {path} with its log: {error}") from error

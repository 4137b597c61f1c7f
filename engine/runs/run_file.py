"""Connections to a run's SQLite file: what SQLite reports is told in one line, with the file.

A run on a read-only disk is read as well, with what its write-ahead log holds. SQLite itself cannot
always do that: the log needs an index beside it, which it can't create there.
"""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.errors import UsageError

_PATIENCE_SECONDS = 30
"""How long to wait for another process to finish writing."""


class RunFileError(UsageError):
    """SQLite cannot read or write a run's file."""


def _told(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of a cursor whose trouble with the file is a RunFileError."""

    def call(cursor: "_Cursor", *arguments: Any) -> Any:
        try:
            return method(cursor, *arguments)
        except sqlite3.DatabaseError as error:
            if type(error) not in (sqlite3.OperationalError, sqlite3.DatabaseError):
                raise  # a defect of ours
            file = getattr(cursor.connection, "file", "the run")
            raise RunFileError(f"{file}: {error}; {_hint(error)}") from error

    return call


def _hint(error: sqlite3.DatabaseError) -> str:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CORRUPT,
    ):
        return "choose another folder"
    return "mend that, then run the same command: finished tasks are kept"


class _Cursor(sqlite3.Cursor):
    execute = _told(sqlite3.Cursor.execute)
    executemany = _told(sqlite3.Cursor.executemany)
    executescript = _told(sqlite3.Cursor.executescript)
    fetchone = _told(sqlite3.Cursor.fetchone)
    fetchall = _told(sqlite3.Cursor.fetchall)
    __next__ = _told(sqlite3.Cursor.__next__)


class RunFile(sqlite3.Connection):
    """A connection whose errors name the file.

    Attributes:
        file: The file, as the user knows it.
    """

    file: Path
    _copy: "TemporaryDirectory[str] | None" = None

    def cursor(self, factory: Any = _Cursor) -> Any:
        """Return a cursor."""
        return super().cursor(factory)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Run a statement."""
        cursor: sqlite3.Cursor = self.cursor()
        return cursor.execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """Run a statement for each of several rows."""
        cursor: sqlite3.Cursor = self.cursor()
        return cursor.executemany(*arguments)

    def executescript(self, *arguments: Any) -> sqlite3.Cursor:
        """Run several statements."""
        cursor: sqlite3.Cursor = self.cursor()
        return cursor.executescript(*arguments)

    def close(self) -> None:
        """Close the file, and remove the copy of it if there is one."""
        super().close()
        if self._copy is not None:
            self._copy.cleanup()


def open_for_writing(file: Path) -> RunFile:
    """Open the run's file, or create it.

    Raises:
        RunFileError: It is something else, or can't be written.
    """
    return _connect(file, str(file))


def open_for_reading(file: Path) -> RunFile:
    """Open a run's file that exists; another process may write to it meanwhile.

    Raises:
        RunFileError: It cannot be read, or it is not a run's.
    """
    try:
        return _checked(_connect(file, str(file)))
    except RunFileError as error:
        if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF not in _NO_INDEX:
            raise
    log = file.with_name(f"{file.name}-wal")
    if not (log.is_file() and log.stat().st_size):
        return _checked(_connect(file, f"{file.absolute().as_uri()}?immutable=1"))
    copy = TemporaryDirectory(prefix="treegraft-run-")
    for each in (file, log):
        shutil.copyfile(each, Path(copy.name) / each.name)
    db = _connect(file, str(Path(copy.name) / file.name))
    db._copy = copy
    return _checked(db)


_NO_INDEX = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR)


def _connect(file: Path, address: str) -> RunFile:
    try:
        db = sqlite3.connect(
            address,
            isolation_level=None,
            timeout=_PATIENCE_SECONDS,
            factory=RunFile,
            uri=address.startswith("file:"),
        )
    except (sqlite3.Error, ValueError) as error:  # ValueError: a NUL in the name
        raise RunFileError(f"cannot open {str(file)!r}: {error}; name another") from error
    db.file = file
    return db


def _checked(db: RunFile) -> RunFile:
    try:
        db.execute("PRAGMA query_only = ON")
        db.execute("SELECT count(*) FROM trees").fetchone()
    except BaseException:
        db.close()
        raise
    return db

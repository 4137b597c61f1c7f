"""Read a SQLite file that nobody writes any more, from any thread and any forked process."""

import os
import sqlite3
from pathlib import Path
from typing import Any


class Reader:
    """One file, opened on first use in each process.

    Processes that read the same file share its pages in the system's cache; SQLite itself holds two
    megabytes. (Memory-mapped pages are no faster, and count as memory of each process.)
    """

    def __init__(self, path: Path) -> None:
        self._address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        self._process = 0
        self._connection: sqlite3.Connection

    def all(self, query: str, *values: Any) -> sqlite3.Cursor:
        """SQLite is built for threads (its default), but no connection may cross a fork."""
        if self._process != os.getpid():
            connection = sqlite3.connect(self._address, uri=True, check_same_thread=False)
            self._connection, self._process = connection, os.getpid()
        return self._connection.execute(query, values)

    def one(self, query: str, *values: Any) -> Any:
        """Return the first row, or None."""
        return self.all(query, *values).fetchone()

    def close(self) -> None:
        """The next use opens it again."""
        if self._process == os.getpid():
            self._connection.close()
            self._process = 0

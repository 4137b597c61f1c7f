"""Read a SQLite file that nobody writes any more, from any thread and any forked process."""

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any


class Reader:
    """One file, opened on first use in each thread of each process.

    Threads that share a connection share its prepared statements, and so take rows from one
    another; and no connection may cross a fork. What reads the same file shares its pages in the
    system's cache; SQLite itself holds two megabytes per connection. (Memory-mapped pages are no
    faster, and count as memory of each process.)
    """

    def __init__(self, path: Path) -> None:
        self._address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        self._opened: dict[tuple[int, int], sqlite3.Connection] = {}  # by process and thread

    def all(self, query: str, *values: Any) -> sqlite3.Cursor:
        """Return the rows of a query."""
        place = os.getpid(), threading.get_ident()
        if place not in self._opened:
            self._opened[place] = sqlite3.connect(self._address, uri=True, check_same_thread=False)
        return self._opened[place].execute(query, values)

    def one(self, query: str, *values: Any) -> Any:
        """Return the first row, or None."""
        return self.all(query, *values).fetchone()

    def close(self) -> None:
        """Close the connections of this process; the next use opens one again."""
        for place in [place for place in self._opened if place[0] == os.getpid()]:
            self._opened.pop(place).close()

    def __del__(self) -> None:
        self.close()

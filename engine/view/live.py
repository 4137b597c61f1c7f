"""What changes in a run while it goes on, told in order.

The store's own row numbers grow with each tree that is kept, so that to look is one comparison
where nothing happened, and reads what is new where something did.
"""

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Self

from engine.errors import LeakError, UsageError
from engine.runs.store import FILE
from engine.view.data import Json, treeless
from engine.view.reader import Source

WINDOW = 60.0
"""Seconds over which the rate is taken."""


@dataclass
class Feed:
    """The summaries of all tasks, numbered by when they changed last.

    One thread calls `refresh`; any thread calls `since`.
    asked: how many tasks the run was asked for, where it says so.
    rate: tasks that came a minute, over the last minute; what was there at first does not count.
    """

    source: Source
    asked: int | None
    _db: sqlite3.Connection
    _tasks: dict[str, tuple[int, Json]] = field(default_factory=dict)
    _failures: dict[str, Json] = field(default_factory=dict)
    _number: int = 0
    _version: int = -1
    _last_row: int = 0
    _caught_up: float | None = None
    _came: deque[float] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    @contextmanager
    def open(cls, run: Path, source: Source) -> Iterator[Self]:
        file = run / FILE if run.is_dir() else run
        with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as db:
            db.execute("PRAGMA query_only = ON")
            yield cls(source, None, db)

    def refresh(self) -> bool:
        """Read what is new; whether anything was. A tree at a time is told as soon as read."""
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return False
        failures = self.source.failures()
        # The last row may have been replaced under its own number, so it is read again.
        query = "SELECT rowid, task_id FROM trees WHERE rowid >= ? ORDER BY rowid"
        for row, task_id in self._db.execute(query, (self._last_row,)).fetchall():
            why = {"why": failures[task_id]["why"]} if task_id in failures else {}
            self._tell(self._summary(task_id) | why)
            self._last_row = row
        self._tell_failures(failures)
        self.asked = self.source.store.meta().get("asked")
        self._version = version
        self._caught_up = self._caught_up or monotonic()
        return True

    def _summary(self, task_id: str) -> Json:
        try:
            return self.source.read(task_id).summary | {"tree": True}
        except LeakError as error:
            return treeless(task_id, str(error))
        except UsageError:  # replaced since: its new row comes next
            return treeless(task_id, "is being written")

    def _tell_failures(self, failures: dict[str, Json]) -> None:
        """Those that are new; the tree that such a task may have is told with them."""
        for task_id, summary in failures.items():
            if self._failures.get(task_id) != summary:
                known = self._tasks.get(task_id, (0, summary))[1]
                self._tell(known | {"why": summary["why"]})
        self._failures = failures

    def _tell(self, summary: Json) -> None:
        with self._lock:
            if self._tasks.get(summary["id"], (0, None))[1] != summary:
                if self._caught_up and summary["id"] not in self._tasks:
                    self._came.append(monotonic())
                self._number += 1
                self._tasks[summary["id"]] = (self._number, summary)

    def since(self, number: int) -> tuple[int, list[Json]]:
        """The number of the last change, and the summaries that changed after change `number`."""
        with self._lock:
            return self._number, [told for when, told in self._tasks.values() if when > number]

    @property
    def rate(self) -> float:
        with self._lock:
            now = monotonic()
            while self._came and now - self._came[0] > WINDOW:
                self._came.popleft()
            watched = now - self._caught_up if self._caught_up else 0.0
            return len(self._came) * 60 / min(max(watched, 1.0), WINDOW)

"""Follows a run that is still going on: which tasks changed, in order.

A check compares one number if nothing changed, and reads only the new trees otherwise.
"""

from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from engine.errors import LeakError, UsageError
from engine.view.data import Json, summary_without_tree
from engine.view.reader import RunReader

WINDOW = 60.0
"""Seconds over which the rate is measured."""


@dataclass
class Feed:
    """The summaries of all tasks, each with the number of its last change.

    One thread calls `refresh`; any thread may call `since`.

    Attributes:
        reader: the run, open for the thread that calls `refresh`.
        asked: number of tasks that the run shall search, if it says so.
    """

    reader: RunReader
    asked: int | None = None
    _tasks: dict[str, tuple[int, Json]] = field(default_factory=dict)
    _failures: dict[str, Json] = field(default_factory=dict)
    _number: int = 0
    _version: int = -1
    _last_row: int = 0
    _caught_up_at: float | None = None
    _new_at: deque[float] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)

    def refresh(self) -> bool:
        """Read what is new, and return whether anything was.

        Each tree appears as soon as it is read, before the next one is.
        """
        version = self.reader.store.version()
        if version == self._version:
            return False
        failures = self.reader.failures()
        # The last row may have been replaced under its own number, so it is read again.
        for row, task_id in self.reader.store.task_ids_from(self._last_row):
            why = {"why": failures[task_id]["why"]} if task_id in failures else {}
            self._publish(self._summary(task_id) | why)
            self._last_row = row
        self._publish_failures(failures)
        self.asked = self.reader.store.meta().get("asked")
        self._version = version
        self._caught_up_at = self._caught_up_at or monotonic()
        return True

    def _summary(self, task_id: str) -> Json:
        try:
            return self.reader.read(task_id).summary | {"tree": True}
        except LeakError as error:
            return summary_without_tree(task_id, str(error))
        except UsageError:  # replaced meanwhile: its new row comes next
            return summary_without_tree(task_id, "is being written")

    def _publish_failures(self, failures: dict[str, Json]) -> None:
        """Publish new failures; if such a task has a tree, with the tree's summary."""
        for task_id, summary in failures.items():
            if self._failures.get(task_id) != summary:
                known = self._tasks.get(task_id, (0, summary))[1]
                self._publish(known | {"why": summary["why"]})
        self._failures = failures

    def _publish(self, summary: Json) -> None:
        with self._lock:
            if self._tasks.get(summary["id"], (0, None))[1] != summary:
                if self._caught_up_at and summary["id"] not in self._tasks:
                    self._new_at.append(monotonic())
                self._number += 1
                self._tasks[summary["id"]] = (self._number, summary)

    def since(self, number: int) -> tuple[int, list[Json]]:
        """Return the number of the last change, and the summaries changed after `number`."""
        with self._lock:
            changed = [summary for at, summary in self._tasks.values() if at > number]
            return self._number, changed

    @property
    def rate(self) -> float:
        """New tasks per minute, over the last minute, without those found at the start."""
        with self._lock:
            now = monotonic()
            while self._new_at and now - self._new_at[0] > WINDOW:
                self._new_at.popleft()
            watched = now - self._caught_up_at if self._caught_up_at else 0.0
            return len(self._new_at) * 60 / min(max(watched, 1.0), WINDOW)

"""Wait for a running node's reply; meanwhile drain its output, watch its time and its memory."""

import select
import time
from collections.abc import Mapping
from typing import Any

from .output import Output
from .processes import Processes
from .wire import Link, Message

TICK = 0.02
"""Seconds between two looks at a running node's memory."""


class Ended(Exception):
    """We ended a run. why: as in Result.why."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Attendant:
    """control: a descriptor whose hang-up means that the engine is gone.
    ends_at: when, by the monotonic clock, everything ends, a step under way included.
    most_pids: processes that a step may have at once, where the kernel does not count them."""

    def __init__(self, processes: Processes, control: int, ends_at: float, most_pids: int) -> None:
        self._processes, self.control = processes, control
        self._ends_at, self._most_pids = ends_at, most_pids

    def reply(
        self,
        link: Link,
        reading: int,
        output: Output,
        limits: Mapping[str, Any],
        idle: set[int],
    ) -> Message:
        """The node's reply.

        reading: where its output comes.   idle: processes that have no part in the run.

        Raises:
            Ended: a limit was reached.   Gone: the node is.
            SystemExit: the engine is gone, or our time is up.
        """
        now = time.monotonic()
        deadline, look_again = min(now + limits["seconds"], self._ends_at), now + TICK
        waiting = select.poll()
        waiting.register(link.socket, select.POLLIN)
        waiting.register(reading, select.POLLIN)
        waiting.register(self.control, 0)  # hang-up only
        while True:
            until = min(deadline, look_again) - now
            ready = {descriptor for descriptor, _ in waiting.poll(max(0.0, until) * 1000 + 1)}
            if self.control in ready:
                raise SystemExit
            if reading in ready and not output.drain(reading):
                waiting.unregister(reading)
            if output.total > limits["flood_bytes"]:
                raise Ended("flood")
            if link.socket.fileno() in ready and (message := link.take()) is not None:
                return message
            now = time.monotonic()
            if now >= deadline:
                raise Ended("timeout") if deadline < self._ends_at else SystemExit
            if now >= look_again:
                look_again = now + TICK
                self._watch(idle, limits["memory_bytes"])

    def _watch(self, idle: set[int], most_bytes: int) -> None:
        """Raises Ended: what runs is too large, or too much of it runs."""
        self._processes.reap()  # zombies count as processes
        processes, memory = self._processes.running(idle)
        if memory > most_bytes:
            raise Ended("memory")
        if processes > self._most_pids:
            raise Ended("flood")

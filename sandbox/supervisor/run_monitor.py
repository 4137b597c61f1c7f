"""Wait for a running node's reply; meanwhile read its output, and watch its time and memory."""

import select
import time

from .framing import Gone, Link, Message
from .jobs import Job
from .kernel.processes import Processes, is_alive

TICK = 0.02
"""Seconds between two looks at a running node's memory."""


class LimitReached(Exception):
    """We ended a run; `why` is as in `Result.why`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class RunMonitor:
    """Watches one run at a time."""

    def __init__(
        self, processes: Processes, controls: tuple[int, ...], ends_at: float, most_pids: int
    ) -> None:
        """Prepare to watch.

        Args:
            ends_at: when, by the monotonic clock, everything ends, also a step under way.
            most_pids: processes that a step may have at once, where the kernel does not count them.
        """
        self._processes, self.controls = processes, controls
        self._ends_at, self._most_pids = ends_at, most_pids

    def reply(self, pid: int, link: Link, job: Job, idle: set[int]) -> Message:
        """Return the node's reply.

        Args:
            idle: processes that have no part in the run.

        Raises:
            LimitReached: a limit was reached.
            Gone: the node is gone.
            SystemExit: the engine is gone, or our time is up.
        """
        reading, output, limits = job.reading, job.output, job.limits
        now = time.monotonic()
        deadline, look_again = min(now + limits["seconds"], self._ends_at), now + TICK
        waiting = select.poll()
        waiting.register(link.socket, select.POLLIN)
        waiting.register(reading, select.POLLIN)
        for control in self.controls:
            waiting.register(control, 0)  # hang-up only
        while (message := link.take()) is None:
            until = min(deadline, look_again) - now
            ready = {descriptor for descriptor, _ in waiting.poll(max(0.0, until) * 1000 + 1)}
            if not ready.isdisjoint(self.controls):
                raise SystemExit
            if reading in ready and not output.drain(reading):
                waiting.unregister(reading)
            if output.total > limits["flood_bytes"]:
                raise LimitReached("flood")
            now = time.monotonic()
            if now >= deadline:
                raise LimitReached("timeout") if deadline < self._ends_at else SystemExit
            if now >= look_again:
                look_again = now + TICK
                self._watch(pid, idle, limits["memory_bytes"])
        return message

    def _watch(self, pid: int, idle: set[int], most_bytes: int) -> None:
        """Check memory and processes. Raises LimitReached, or Gone if the node is gone."""
        if not is_alive(pid):
            raise Gone  # its parent was stopped while it still held the link's other end
        self._processes.reap()  # zombies count as processes
        processes, memory = self._processes.running(idle)
        if memory > most_bytes:
            raise LimitReached("memory")
        if processes > self._most_pids:
            raise LimitReached("flood")

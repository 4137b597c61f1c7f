"""Stop, kill and measure processes, by what the kernel says about them.

In our own pid namespace every process but us is below us, and `kill(-1)` stops them all at once,
also those that fork meanwhile. Without one, they are found as descendants: we adopt orphans
(confine.adopt_orphans), so none escapes, but each pass may miss a process that is being forked, or
that moves: its parent reads as dead, and we looked among our own children before we adopted it. So
whatever is found is killed at once, in passes without a pause, until two in a row find the same,
and nothing in it to kill.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")
SWEEP_SECONDS = 10.0
"""After which we give up on a fork bomb."""
STOPPED, DEAD, WAITING = "Tt", "ZX", "D"
LOOKS, PAUSE_SECONDS = 2000, 0.001
"""How often we look at a process in an uninterruptible system call before we kill it.

Looks are counted, not seconds: on a busy machine neither it nor we may run for seconds.
"""
STOP_SECONDS = 60.0
"""How long a process may take to stop that only waits for a processor."""
SPINS = 2000
"""Looks without a pause: most processes stop at once."""


class Process(NamedTuple):
    """A process as the kernel reports it.

    Attributes:
        state: one letter, as in proc(5).
        faults: pages that it touched or copied itself.
        resident: bytes.
    """

    state: str
    threads: int
    faults: int
    resident: int

    @property
    def private(self) -> int:
        """An upper bound, in bytes, of what this process shares with no ancestor."""
        return min(self.faults * PAGE, self.resident)


def read_process(pid: int) -> Process | None:
    """Return what the kernel says about a process; None if it does not exist."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            fields = os.read(descriptor, 4096).rpartition(b")")[2].split()
        finally:
            os.close(descriptor)
    except OSError:
        return None
    return Process(
        state=fields[0].decode(),
        threads=int(fields[17]),
        faults=int(fields[7]),
        resident=int(fields[21]) * PAGE,
    )


def namespace_processes() -> list[int]:
    """Return every process of our pid namespace but ourselves."""
    us = os.getpid()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != us]


def descendants() -> list[int]:
    """Return every process below us."""
    found: list[int] = []
    rest = [os.getpid()]
    while rest:
        children = list(_children(rest.pop()))
        found += children
        rest += children
    return found


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with (
                contextlib.suppress(OSError),
                open(f"/proc/{pid}/task/{task}/children", "rb") as file,
            ):
                yield from map(int, file.read().split())


class Processes:
    """The processes below us."""

    def __init__(self, own_namespace: bool) -> None:
        """Choose how to find them; `own_namespace`: whether we have our own pid namespace."""
        self._own_namespace = own_namespace
        self.list: Callable[[], list[int]] = namespace_processes if own_namespace else descendants

    def stop(self, pids: Iterable[int]) -> None:
        """Stop processes and wait until they stand still; kill one that does not."""
        for pid in pids:
            send_signal(pid, signal.SIGSTOP)
            deadline = time.monotonic() + STOP_SECONDS
            looks = waits = 0
            while (seen := read_process(pid)) and seen.state not in STOPPED + DEAD:
                looks += 1
                waits += looks > SPINS and seen.state == WAITING
                if waits > LOOKS or time.monotonic() > deadline:
                    send_signal(pid, signal.SIGKILL)
                    break
                if looks > SPINS:
                    time.sleep(PAUSE_SECONDS)
                else:
                    os.sched_yield()

    def sweep(self, keep: Collection[int], awake: Collection[int] = ()) -> bool:
        """Stop everything, and kill what is not in `keep`.

        Args:
            keep: processes that stay.
            awake: those of `keep` that are not known to be stopped.

        Returns:
            False if something will not die.
        """
        deadline = time.monotonic() + SWEEP_SECONDS
        if self._own_namespace:
            send_signal(-1, signal.SIGSTOP)  # first, since one could wake another
        self.stop(awake)
        before: list[int] | None = None
        while time.monotonic() < deadline:
            if self._own_namespace and before is not None:
                send_signal(-1, signal.SIGSTOP)
            found = self.list()
            strangers = [pid for pid in found if pid not in keep and is_alive(pid)]
            for pid in strangers:
                send_signal(pid, signal.SIGKILL)
            self.reap()
            if not strangers and (self._own_namespace or found == before):
                self.stop(awake)
                return True
            before = found
            if self._own_namespace and len(strangers) > 1:
                time.sleep(0.001)
        return False

    def end(self) -> None:
        """Kill everything below us."""
        self.sweep(())

    def living(self) -> int:
        """Return how many there are, without zombies."""
        return sum(is_alive(pid) for pid in self.list())

    def running(self, idle: Collection[int]) -> tuple[int, int]:
        """Return how many are not idle, and their resident bytes (shared pages count each time)."""
        busy = [seen for pid in self.list() if pid not in idle and (seen := read_process(pid))]
        return len(busy), sum(seen.resident for seen in busy)

    def ended(self, pid: int) -> int | None:
        """Wait for our dying child; return how it ended, as waitpid tells it, if that is known."""
        with contextlib.suppress(ChildProcessError):
            return os.waitpid(pid, 0)[1]
        return None

    def reap(self) -> None:
        """Reap our dead children."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def send_signal(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that is gone, or not ours, is ignored."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def is_alive(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    seen = read_process(pid)
    return seen is not None and seen.state not in DEAD

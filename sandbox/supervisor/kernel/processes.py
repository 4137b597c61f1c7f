"""Stop, kill and measure processes, by what the kernel says of them.

In a pid namespace of our own every process but us is below us, and `kill(-1)` stops them all at
once, those that fork meanwhile included. Without one, they are found as descendants: orphans are
adopted by us (confine.adopt_orphans), so none gets away, but each pass may miss what is just being
forked, or what moves: a process reads as dead under its parent, and its child, which we adopted
meanwhile, was not yet among ours when we looked there. So what is found is killed at once, in
passes without a pause, until two in a row find the same, and nothing in it to kill.
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
STOP_SECONDS = 2.0
"""How long a process may take to stop: in a system call that cannot be interrupted, say."""
STOPPED, DEAD = "Tt", "ZX"


class Process(NamedTuple):
    """state: one letter, as in proc(5).   faults: pages that it touched or copied by itself.
    resident: bytes."""

    state: str
    threads: int
    faults: int
    resident: int

    @property
    def private(self) -> int:
        """An upper bound, in bytes, of what this process shares with no ancestor."""
        return min(self.faults * PAGE, self.resident)


def read_process(pid: int) -> Process | None:
    """None if there is no such process."""
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
    """Every process of our pid namespace but ourselves."""
    us = os.getpid()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != us]


def descendants() -> list[int]:
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
    """Those below us.  own_namespace: whether we are in a pid namespace of our own."""

    def __init__(self, own_namespace: bool) -> None:
        self._own_namespace = own_namespace
        self.list: Callable[[], list[int]] = namespace_processes if own_namespace else descendants

    def stop(self, pids: Iterable[int]) -> None:
        """Stop processes and wait until they stand still; one that does not is killed."""
        for pid in pids:
            send_signal(pid, signal.SIGSTOP)
            deadline = time.monotonic() + STOP_SECONDS
            while (seen := read_process(pid)) and seen.state not in STOPPED + DEAD:
                os.sched_yield()
                if time.monotonic() > deadline:
                    send_signal(pid, signal.SIGKILL)
                    break

    def sweep(self, keep: Collection[int], awake: Collection[int] = ()) -> bool:
        """Stop everything, and kill what is not among `keep`. False: something will not die.

        awake: those of `keep` that are not known to be stopped.
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
        """How many there are, zombies aside."""
        return sum(is_alive(pid) for pid in self.list())

    def running(self, idle: Collection[int]) -> tuple[int, int]:
        """How many are not idle, and their resident bytes, shared pages counted each time."""
        busy = [seen for pid in self.list() if pid not in idle and (seen := read_process(pid))]
        return len(busy), sum(seen.resident for seen in busy)

    def reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def send_signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def is_alive(pid: int) -> bool:
    seen = read_process(pid)
    return seen is not None and seen.state not in DEAD

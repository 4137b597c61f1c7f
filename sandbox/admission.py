"""Queue for the machine's memory: only as many sandboxes open at once as it can hold.

Every sandbox reserves the memory that its quota allows. Those that do not fit wait in line, first
come, first served, so that small ones cannot overtake a large one for ever.

Limitation: the queue belongs to this process. Two engines on one machine do not know of each other.
"""

import functools
import threading
from collections import deque
from pathlib import Path
from weakref import WeakSet

from sandbox.errors import SandboxError

SHARE = 0.8
"""Part of the memory free at first use that may be reserved."""
CGROUP_ROOT = Path("/sys/fs/cgroup")


class Slot:
    """Memory that is reserved until it is released, or until nobody holds this object.

    An interrupt may come before whoever asked has kept it.
    """

    def __init__(self, admission: "Admission", memory_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        self._admission = admission

    def release(self) -> None:
        """Give the memory back. Calling it twice, or from two threads, is fine."""
        with self._admission.changed:
            self._admission.slots.discard(self)
            self._admission.changed.notify_all()


class Admission:
    """A queue for `capacity` bytes of memory, shared by threads.

    Attributes:
        slots: those that are held.
        changed: guards `slots`, and tells when they change.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.slots: WeakSet[Slot] = WeakSet()
        self.changed = threading.Condition()
        self._line: deque[object] = deque()

    @property
    def reserved(self) -> int:
        """The bytes that are reserved."""
        with self.changed:
            return sum(slot.memory_bytes for slot in self.slots)

    def admit(self, memory_bytes: int, seconds: float) -> Slot:
        """Reserve memory, after everybody who came earlier; see `admit`."""
        if memory_bytes > self.capacity:
            raise SandboxError(
                f"a sandbox of {mib(memory_bytes)} does not fit: sandboxes may take "
                f"{mib(self.capacity)} on this machine; ask for less, or free memory"
            )
        place = object()
        with self.changed:
            self._line.append(place)
            try:
                if not self.changed.wait_for(lambda: self._turn(place, memory_bytes), seconds):
                    raise SandboxError(
                        f"no memory for another sandbox within {seconds:g} s ({mib(self.reserved)} "
                        f"of {mib(self.capacity)} are reserved); open fewer at once"
                    )
                slot = Slot(self, memory_bytes)
                self.slots.add(slot)
                return slot
            finally:
                self._line.remove(place)
                self.changed.notify_all()  # the next in line may fit as well

    def _turn(self, place: object, memory_bytes: int) -> bool:
        return self._line[0] is place and self.reserved + memory_bytes <= self.capacity


def admit(memory_bytes: int, seconds: float) -> Slot:
    """Reserve memory of this machine; raise `SandboxError` if it is not free within `seconds`."""
    with _measuring:  # `cache` alone could give two first callers a queue each
        line = machine()
    return line.admit(memory_bytes, seconds)


_measuring = threading.Lock()


@functools.cache
def machine() -> Admission:
    """Return this process's queue.

    Its capacity is measured once: later, our own sandboxes use the memory.
    """
    return Admission(int(SHARE * min(available_bytes(), cgroup_bytes())))


def available_bytes() -> int:
    """Return MemAvailable: what the kernel could give without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    raise SandboxError("the kernel does not say how much memory is available; mount /proc")


def cgroup_bytes(membership: str | None = None, root: Path = CGROUP_ROOT) -> int:
    """Return the smallest memory limit of this process's cgroup and its ancestors; huge if none."""
    smallest = 1 << 62
    for line in (membership or Path("/proc/self/cgroup").read_text()).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = folder / path.lstrip("/")
        while group.is_relative_to(folder):
            smallest = min(smallest, limit(group / name))
            group = group.parent
    return smallest


def limit(file: Path) -> int:
    """Return the number in a file; a huge one if it says "max" or does not exist."""
    try:
        text = file.read_text().strip()
    except OSError:  # inside a container, the path is the host's
        return 1 << 62
    return 1 << 62 if text == "max" else int(text)


def mib(size: int) -> str:
    """Format bytes as MiB."""
    return f"{size >> 20} MiB"

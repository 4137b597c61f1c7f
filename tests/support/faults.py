"""Agent code that wants to outlive everything, and what can be seen of it from outside.

Nothing here trusts the sandbox: processes are found in the machine's /proc, by a mark that agent
code carries in its name, its command line or its environment, or as descendants noted beforehand.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sandbox.branching import BranchingSandbox
from sandbox.docker import daemon
from sandbox.owner import LABEL, SCRATCH, start_time
from sandbox.protocol import Quota, StepLimits

ROOT_FOLDER = Path(__file__).parents[2]
SMALL = Quota(memory_bytes=128 << 20, disk_bytes=16 << 20, inodes=2000, pids=256)
LONG = StepLimits(seconds=60.0)

HOSTILE = """
import ctypes, os, signal, sys, time
MARK = {mark!r}
ctypes.CDLL(None).prctl(15, MARK.encode(), 0, 0, 0)

def detached():
    if os.fork():
        return False
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    if os.fork():
        os._exit(0)
    return True

if detached():  # told by its command line and its environment
    program = "import time; time.sleep(120)"
    os.execve(sys.executable, [sys.executable, "-S", "-c", program, MARK], {{"MARK": MARK}})
if detached():  # told by its name, under a new number each time
    while True:
        time.sleep(0.3)
        if os.fork():
            os._exit(0)
"""
"""Leaves two daemons, each in a session of its own and deaf to what may be ignored."""

SPIN = HOSTILE + "while True: pass\n"


def mounting() -> list[str]:
    """How to run a command with mounts of its own, which go when it ends."""
    command = ["unshare", "--mount"] + (["--user", "--map-root-user"] if os.geteuid() else [])
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine refuses mount namespaces")
    return command


def new_mark() -> str:
    """Fits into the 15 characters of a process's name."""
    return f"flt{uuid.uuid4().hex[:10]}"


def marked(mark: str) -> set[int]:
    """Processes that carry the mark, zombies and the one that asks aside."""
    return set(_carrying(mark))


def sessions(mark: str) -> set[int]:
    """Of the processes that carry the mark: a daemon that becomes another process keeps its own."""
    found = set()
    for pid in _carrying(mark):
        with suppress(ProcessLookupError):
            found.add(os.getsid(pid))
    return found


def _carrying(mark: str) -> Iterator[int]:
    """Each as soon as it is found, the newest first: it may be gone soon."""
    wanted = mark.encode()
    numbers = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
    for pid in sorted(numbers, reverse=True):
        told = (_read(f"/proc/{pid}/{name}") for name in ("comm", "cmdline", "environ"))
        if pid != os.getpid() and any(wanted in each for each in told) and start_time(pid) >= 0:
            yield pid


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:  # gone meanwhile, or another user's
        return b""


def descendants(pid: int) -> set[tuple[int, int]]:
    """Number and start time of every process below `pid`."""
    found, rest = set(), [pid]
    while rest:
        below = children(rest.pop())
        found |= {(child, start_time(child)) for child in below}
        rest += below
    return {(child, started) for child, started in found if started >= 0}


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in _read(str(task)).split()]


def living(known: set[tuple[int, int]]) -> set[int]:
    """Those of the noted processes that are still there."""
    return {pid for pid, started in known if start_time(pid) == started}


def containers(owner: str) -> list[str]:
    """Names of an owner's containers, running or not."""
    with daemon.connected() as client:
        found = client.api.containers(all=True, filters={"label": f"{LABEL}={owner}"})
    return [container["Names"][0].lstrip("/") for container in found]


def scratch_folders(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if SCRATCH.fullmatch(path.name)]


def gone(look: Callable[[], Any], seconds: float = 2.0) -> float:
    """How long it took until `look` found nothing; fails if that is more than `seconds`.

    It has to find nothing three times: a look may miss a process that becomes another one.
    """
    started = emptied = time.monotonic()
    empty = 0
    while empty < 3:
        now = time.monotonic()
        left = look()
        emptied = emptied if empty else now
        empty = 0 if left else empty + 1
        # A look that finds nothing proves nothing left, however long it takes.
        assert not left or now - started < seconds, f"left after {seconds:g} s: {left}"
        time.sleep(0.03)
    return emptied - started


def wait_for(look: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What `look` finds, as soon as it finds anything."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
    return found


def grow(box: BranchingSandbox, nodes: int = 3) -> None:
    """A chain of nodes n1, n2, ... that know their number and have it in a file."""
    parent = "root"
    for number in range(1, nodes + 1):
        code = f"n = {number}; open('n', 'w').write(str(n))"
        result = box.step(parent, parent := f"n{number}", code)
        assert result.ok and result.exception is None, result


def know(box: BranchingSandbox, node: str) -> str | None:
    """What a node of `grow` says of itself."""
    result = box.step(node, f"look-{uuid.uuid4().hex}", "n, open('n').read()")
    assert result.ok and result.exception is None, result
    return result.value


@contextmanager
def python(code: str, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that runs `code`; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT_FOLDER,
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    """Its next line."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"it said nothing more, and ended with {process.wait()}"
    return line.strip()

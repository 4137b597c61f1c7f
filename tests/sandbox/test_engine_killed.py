"""The engine dies, stops or is interrupted: nothing of its sandboxes is left, whatever they hold.

Real processes, hostile ones: daemons in sessions of their own that ignore every signal they can.
"""

import contextlib
import dataclasses
import os
import signal
import time
from pathlib import Path

import pytest

from sandbox.backends import BACKENDS, CONFINING
from sandbox.branching import BranchingSandbox
from sandbox.errors import SandboxError
from sandbox.owner import owner
from sandbox.protocol import ROOT_NODE, StepLimits
from sandbox.sweep import sweep
from tests.support import faults
from tests.support.faults import SMALL, gone, grow, know, wait_for
from tests.support.interrupting import interrupted
from tests.support.sandboxes import require

NAMES = list(CONFINING)

ENGINE = """
import sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from sandbox.owner import owner
from tests.support.faults import LONG, SMALL, HOSTILE, SPIN, grow
name, count = sys.argv[1], int(sys.argv[2])
mark = sys.stdin.readline().strip()
backend = BACKENDS[name]()
boxes = [BranchingSandbox(backend, SMALL) for _ in range(count)]

def fill(box):
    grow(box)
    result = box.step("n3", "idle", HOSTILE.format(mark=mark), LONG)
    assert result.ok and result.exception is None, result

with ThreadPoolExecutor(count) as pool:
    list(pool.map(fill, boxes))
for box in boxes[::2]:
    busy = lambda box=box: box.step("n2", "busy", SPIN.format(mark=mark), LONG)
    threading.Thread(target=busy, daemon=True).start()
print(owner(), flush=True)
time.sleep(120)
"""
"""Half of its sandboxes are idle, half in a step that never ends."""


@pytest.mark.parametrize(("name", "count"), [("docker", 20), ("bubblewrap", 20), ("landlock", 8)])
def test_nothing_outlives_a_killed_engine(name: str, count: int, temp: Path) -> None:
    require(name)
    mark = faults.new_mark()
    with faults.python(ENGINE, name, str(count), TMPDIR=str(temp)) as engine:
        assert engine.stdin is not None
        print(mark, file=engine.stdin, flush=True)
        owner = faults.said(engine)
        # Of each a node; of each that is busy another node and two daemons; all have sessions of
        # their own. One of two daemons is a new process all the time, and one look may miss it.
        seen: set[int] = set()
        enough = count + 3 * count // 2
        wait_for(lambda: seen.update(faults.sessions(mark)) or len(seen) >= enough, 90)
        known = faults.descendants(engine.pid)
        held = faults.containers(owner) if name == "docker" else ["none"] * count
        assert len(held) == count
        engine.kill()
        ended = gone(lambda: faults.marked(mark) or faults.living(known))
        removed = gone(lambda: faults.containers(owner)) if name == "docker" else 0.0
    before = len(faults.scratch_folders(temp))
    sweep()
    print(f"{name}: processes {ended:.2f} s, containers {removed:.2f} s more, {before} folders")
    assert ended + removed < 2.0
    assert not faults.scratch_folders(temp)
    assert str(temp) not in Path("/proc/self/mountinfo").read_text()


OPENING = """
import sys
from concurrent.futures import ThreadPoolExecutor
from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from sandbox.owner import owner
from tests.support.faults import SMALL
backend = BACKENDS[sys.argv[1]]()
print(owner(), flush=True)
boxes = [BranchingSandbox(backend, SMALL) for _ in range(30)]
with ThreadPoolExecutor(10) as pool:
    list(pool.map(lambda box: box.start(), boxes))
"""


@pytest.mark.parametrize("moment", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("name", NAMES)
def test_an_engine_killed_while_it_opens_sandboxes(name: str, moment: float, temp: Path) -> None:
    """What was made and not started cannot notice anything: the sweep finds it."""
    require(name)
    with faults.python(OPENING, name, TMPDIR=str(temp)) as engine:
        owner = faults.said(engine)
        time.sleep(moment)
        known = faults.descendants(engine.pid)
        engine.kill()
        gone(lambda: faults.living(known))
    gone(lambda: sweep().trouble or faults.scratch_folders(temp))
    if name == "docker":  # a container may be made by a request that was under way
        gone(lambda: sweep().trouble or faults.containers(owner))


HANGING = """
import sys, threading, time
from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from tests.support.faults import LONG, SMALL, grow
box = BranchingSandbox(BACKENDS[sys.argv[1]](), SMALL)
grow(box, 1)
code = "import gc, time\\n"
code += "found = [type(o) for o in gc.get_objects() if type(o).__name__ == 'Interpreter']\\n"
code += "found[0]._branch = lambda self, descriptors: time.sleep(120)"
assert box.step("n1", "deaf", code, LONG).exception is None
threading.Thread(target=lambda: box.step("deaf", "child", "1", LONG), daemon=True).start()
time.sleep(0.3)
print("waits", flush=True)
time.sleep(120)
"""
"""The node is asked to fork, and agent code has seen to it that it does not answer."""


@pytest.mark.parametrize("name", ["bubblewrap", "landlock"])
def test_a_node_that_does_not_answer_keeps_nothing_alive(name: str) -> None:
    require(name)
    with faults.python(HANGING, name) as engine:
        assert faults.said(engine) == "waits"
        known = faults.descendants(engine.pid)
        engine.kill()
        gone(lambda: faults.living(known))


INTERRUPTED = """
import sys
from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from tests.support.faults import LONG, SMALL, SPIN, grow, know, marked
name, mark = sys.argv[1], sys.stdin.readline().strip()
box = BranchingSandbox(BACKENDS[name](), SMALL)
grow(box)
print("ready", flush=True)
try:
    box.step("n3", "busy", SPIN.format(mark=mark), LONG)
except KeyboardInterrupt:
    print("interrupted", flush=True)
sys.stdin.readline()
print(know(box, "n3"), flush=True)
box.close()
print("closed", flush=True)
"""


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_step_leaves_nothing_and_the_sandbox_works(name: str) -> None:
    require(name)
    mark = faults.new_mark()
    with faults.python(INTERRUPTED, name) as engine:
        assert engine.stdin is not None
        print(mark, file=engine.stdin, flush=True)
        assert faults.said(engine) == "ready"
        wait_for(lambda: len(faults.marked(mark)) >= 3)
        known = faults.descendants(engine.pid)
        engine.send_signal(signal.SIGINT)
        assert faults.said(engine) == "interrupted"
        gone(lambda: faults.marked(mark) or faults.living(known))
        print("go on", file=engine.stdin, flush=True)
        assert faults.said(engine) == "(3, '3')"
        assert faults.said(engine) == "closed"
        assert engine.wait(timeout=10) == 0


STARTING = """
import signal, sys, tempfile
from pathlib import Path
from sandbox.admission import machine
from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from sandbox.owner import owner
from tests.support.faults import SMALL, grow, know, scratch_folders
box = BranchingSandbox(BACKENDS[sys.argv[1]](), SMALL)
signal.signal(signal.SIGALRM, signal.default_int_handler)
interrupted = 0
for number in range(20):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001 + 0.008 * number)
        try:
            box.start()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        interrupted += 1
    box.close()
folders = len(scratch_folders(Path(tempfile.gettempdir())))
print(interrupted, machine().reserved, folders, owner(), flush=True)
sys.stdin.readline()
box.start()
"""
"""Interrupted at many moments of a start, and closed each time."""


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_start_leaves_nothing(name: str, tmp_path: Path) -> None:
    require(name)
    with faults.python(STARTING, name, TMPDIR=str(tmp_path)) as engine:
        interrupted, reserved, folders, owner = faults.said(engine).split()
        print(f"{name}: {interrupted} of 20 starts interrupted")
        assert int(interrupted) >= 3 and (reserved, folders) == ("0", "0")
        gone(lambda: faults.descendants(engine.pid))
        gone(lambda: name == "docker" and faults.containers(owner))
        _, _ = engine.communicate("go on\n", timeout=30)
        assert engine.returncode == 0


def test_an_interrupt_at_any_line_before_a_child_is_made_leaves_no_folder(temp: Path) -> None:
    """Each line of the backend, before it is run."""
    require("landlock")
    for number in range(99):
        with BranchingSandbox(BACKENDS["landlock"](), SMALL) as box:
            try:
                with interrupted(number, "line", "/backends/landlock.py"):
                    box.start()
                break
            except KeyboardInterrupt:
                assert not faults.scratch_folders(temp), f"line {number}"
    assert number > 10


STOPPED = """
import sys
from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from sandbox.protocol import StepLimits
from tests.support.faults import SMALL, SPIN, grow, know
name, mark = sys.argv[1], sys.stdin.readline().strip()
with BranchingSandbox(BACKENDS[name](), SMALL) as box:
    grow(box)
    print(box.step("n3", "busy", SPIN.format(mark=mark), StepLimits(seconds=1.5)).why, flush=True)
    print(know(box, "n3"), flush=True)
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_engine_stops_no_time_limit(name: str) -> None:
    require(name)
    mark = faults.new_mark()
    with faults.python(STOPPED, name) as engine:
        assert engine.stdin is not None
        print(mark, file=engine.stdin, flush=True)
        wait_for(lambda: len(faults.marked(mark)) >= 3)
        engine.send_signal(signal.SIGSTOP)
        gone(lambda: faults.marked(mark), 4.0)
        engine.send_signal(signal.SIGCONT)
        assert [faults.said(engine), faults.said(engine)] == ["timeout", "(3, '3')"]


@pytest.mark.parametrize("name", NAMES)
def test_a_sandbox_ends_by_itself_after_its_lifetime(name: str) -> None:
    require(name)
    quota = dataclasses.replace(SMALL, lifetime=1.0)
    with BranchingSandbox(BACKENDS[name](), quota) as box:
        grow(box)
        known = faults.descendants(os.getpid())
        gone(lambda: faults.living(known) or name == "docker" and faults.containers(owner()), 3.0)
        with pytest.raises(SandboxError, match=f"^the {name} sandbox ended: .*$"):
            know(box, "n3")
        assert know(box, "n3") == "(3, '3')"


def test_no_step_outlives_the_lifetime() -> None:
    require("bubblewrap")
    quota = dataclasses.replace(SMALL, lifetime=1.0)
    with BranchingSandbox(BACKENDS["bubblewrap"](), quota) as box:
        started = time.monotonic()
        with pytest.raises(SandboxError):
            box.step(ROOT_NODE, "busy", "while True: pass", StepLimits(seconds=10.0))
        assert time.monotonic() - started < 4.0


@pytest.mark.parametrize("name", NAMES)
def test_a_closed_sandbox_is_gone(name: str) -> None:
    """When `close` returns, not some time later: what it held may be given to the next."""
    require(name)
    with BranchingSandbox(BACKENDS[name](), SMALL) as box:
        grow(box, 6)
        known = faults.descendants(os.getpid())
    assert not faults.living(known)


ORPHANED = """
import os, time
if not os.fork():
    os.setsid()
    if os.fork():
        time.sleep({pause})
        os._exit(0)
    while True: pass
"""
"""Its daemon changes parents while the sweep looks from process to process."""


@pytest.mark.parametrize("name", ["landlock", "process"])
def test_daemons_that_change_parents_are_found(name: str) -> None:
    require(name)
    with contextlib.closing(BranchingSandbox(BACKENDS[name](), SMALL)) as box:
        box.start()
        for number in range(400):
            code = ORPHANED.format(pause=number % 40 * 3e-5)
            assert box.step(ROOT_NODE, "parent", code, StepLimits(seconds=5)).ok
            stat = box.stat()
            assert stat.pids == len(stat.alive), f"after {number} daemons"
            box.drop("parent")

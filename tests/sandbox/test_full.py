"""Too little of something: disk of the host, disk of the agent, memory for so many at once."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.admission import machine
from sandbox.backends import BACKENDS, CONFINING
from sandbox.branching import BranchingSandbox
from sandbox.errors import SandboxError
from sandbox.owner import owner
from sandbox.protocol import ROOT_NODE, Quota, StepLimits
from sandbox.sql.queries import QueryWorker
from tests.support import faults
from tests.support.faults import SMALL, gone, grow, know, mounting
from tests.support.sandboxes import require

ON_FULL_DISK = """
import json, os, sys, tempfile, time
from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from tests.support.faults import SMALL, grow, know

def tried(act):
    started = time.monotonic()
    try:
        found = repr(act())
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    return found, time.monotonic() - started

def fill(folder):
    try:
        for number in range(100_000):
            with open(f"{folder}/fill{number}", "wb", buffering=0) as file:
                while sys.argv[1] == "bytes":
                    file.write(bytes(65536))
    except OSError:
        return number

place = tempfile.gettempdir()
box, other = (BranchingSandbox(BACKENDS["landlock"](), SMALL) for _ in "ab")
grow(box)
count = fill(place)
outcome = [
    tried(lambda: box.step("n3", "write", "open('big', 'wb').write(bytes(1 << 20))")),
    tried(lambda: box.step("n2", "read", "n, open('n').read()")),
    tried(lambda: box.grade("n1", "open('n').read()")),
    tried(lambda: grow(other)),
]
for number in range(count + 1):
    os.path.exists(f"{place}/fill{number}") and os.remove(f"{place}/fill{number}")
grow(fresh := BranchingSandbox(BACKENDS["landlock"](), SMALL))
after = [know(box, "n3"), know(box, "n1"), know(fresh, "n3")]
for made in (box, other, fresh):
    made.close()
print(json.dumps({"outcome": outcome, "after": after, "left": os.listdir(place)}))
"""


@pytest.mark.parametrize(("what", "options"), [("bytes", "size=4m"), ("inodes", "nr_inodes=150")])
def test_the_hosts_scratch_is_full(what: str, options: str, tmp_path: Path) -> None:
    require("landlock")
    script = 'mount -t tmpfs -o "$0" none "$TMPDIR" && exec "$@"'
    inner = [sys.executable, "-c", ON_FULL_DISK, what]
    done = subprocess.run(
        [*mounting(), "sh", "-c", script, options, *inner],
        cwd=faults.ROOT_FOLDER,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    found = json.loads(done.stdout)
    for outcome, seconds in found["outcome"]:
        print(f"{what}, {seconds:.2f} s: {outcome[:150]}")
    assert found["after"] == ["(3, '3')", "(1, '1')", "(3, '3')"]
    for outcome, seconds in found["outcome"]:
        assert outcome.startswith(("SandboxError: ", "Result(", "None")) and seconds < 5.0, outcome
        assert outcome.startswith("Result(") or "\n" not in outcome
    assert found["left"] == []


GREEDY = {
    "a file": "with open('fill', 'wb') as file:\n    while True: file.write(bytes(1 << 20))",
    "files": "for i in range(60): open(f'fill{i}', 'wb').write(bytes(2 << 20))",
    "inodes": "import os\n"
    "for i in range(9000 if os.statvfs('.').f_files < 100_000 else 2100): os.mkdir(f'fill{i}')",
}
"""The last one stops early where the files are on the machine's own disk, which takes seconds."""


@pytest.mark.parametrize("what", list(GREEDY))
@pytest.mark.parametrize("name", CONFINING)
def test_an_agent_that_fills_its_disk_harms_only_itself(name: str, what: str) -> None:
    require(name)
    with BranchingSandbox(BACKENDS[name](), SMALL) as box:
        grow(box, 2)
        assert box.step("n1", "sibling", "open('n', 'w').write('sibling')").ok
        full = box.step("n2", "full", GREEDY[what])
        assert full.ok and (full.exception or "files" in full.unforkable), full
        if what == "a file":
            assert full.exception and full.exception.splitlines()[-1].startswith("OSError"), full
        assert know(box, "n2") == "(2, '2')"
        assert box.get("sibling", "n") == b"sibling"
        assert box.step("sibling", "more", "open('more', 'wb').write(bytes(1 << 20))").value
        again = box.step("full", "after", "n")
        assert again.ok and again.value == "2", again


HOPPING = """
import os, time
if not os.fork():
    os.setsid()
    for _ in range(3000):
        time.sleep(0.001)
        if os.fork():
            os._exit(0)
    os._exit(0)
while True: pass
"""
"""Under another number every millisecond, for 4 seconds; each time it leaves a zombie."""


@pytest.mark.parametrize("name", CONFINING)
def test_who_keeps_forking_is_caught(name: str) -> None:
    require(name)
    with BranchingSandbox(BACKENDS[name](), SMALL) as box:
        grow(box)
        started = time.monotonic()
        assert not box.step("n3", "hop", HOPPING, StepLimits(seconds=1.0)).value
        assert time.monotonic() - started < 2.0, "it ended of its own accord"
        assert know(box, "n3") == "(3, '3')"


@pytest.mark.parametrize(("name", "count", "at_once"), [("bubblewrap", 200, 20), ("docker", 30, 6)])
def test_a_crowd_waits_its_turn(name: str, count: int, at_once: int) -> None:
    require(name)
    quota = dataclasses.replace(SMALL, memory_bytes=machine().capacity // at_once)
    backend, started, ended = BACKENDS[name](), time.monotonic(), threading.Event()
    before = set(faults.children(os.getpid()))
    seen: list[int] = []

    def one(number: int) -> str | None:
        with BranchingSandbox(backend, quota) as box:
            return box.step(ROOT_NODE, "n", f"{number} * 2").value

    def count_open() -> None:
        """A list may hold what came while it was read: who is on two was there all the time."""
        last: set[int] | set[str] = set()
        while not ended.wait(0.02):
            docker = name == "docker"
            now = set(faults.containers(owner())) if docker else set(faults.children(os.getpid()))
            seen.append(len((now & last) - before))
            last = now

    counting = threading.Thread(target=count_open)
    counting.start()
    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(one, range(count)))
    ended.set()
    counting.join()
    print(f"{name}: {count} in {time.monotonic() - started:.1f} s, at most {max(seen)} at once")
    assert found == [str(number * 2) for number in range(count)]
    assert at_once // 2 <= max(seen) <= at_once and machine().reserved == 0
    gone(lambda: set(faults.children(os.getpid())) - before)
    assert name != "docker" or not faults.containers(owner())


def test_a_crowd_of_failures_gives_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    quota = dataclasses.replace(SMALL, memory_bytes=machine().capacity // 3)

    def fail(_: int) -> None:
        with pytest.raises(SandboxError, match="no Docker daemon"):
            BranchingSandbox(BACKENDS["docker"](), quota).start()

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(fail, range(50)))
    assert machine().reserved == 0


def test_a_sandbox_larger_than_the_machine_is_refused() -> None:
    box = BranchingSandbox(BACKENDS["landlock"](), Quota(memory_bytes=1 << 50))
    with pytest.raises(SandboxError, match="does not fit: .* ask for less, or free memory$"):
        box.step(ROOT_NODE, "n", "1", StepLimits(seconds=1.0))
    assert machine().reserved == 0


def test_the_temporary_folder_is_found_before_anything_can_be_interrupted(monkeypatch):
    """Python's own look for it takes a lock, which an interrupt may leave locked."""
    for make in (lambda: BranchingSandbox(BACKENDS["process"](), SMALL), QueryWorker):
        monkeypatch.setattr(tempfile, "tempdir", None)
        make()
        assert tempfile.tempdir

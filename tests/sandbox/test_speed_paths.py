"""What saves time in a step and a branch, and must not be seen in what comes of them."""

import itertools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox import check
from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from sandbox.docker.program_socket import ProgramSocket
from sandbox.protocol import ROOT_NODE, StepLimits
from tests.support.sandboxes import require, sandbox

NAMES = itertools.count(1)


@pytest.fixture(scope="module", params=["bubblewrap", "docker"])
def box(request: pytest.FixtureRequest) -> Iterator[BranchingSandbox]:
    """Overlay and copies; attached by a pipe, and by a socket."""
    with sandbox(request.param) as made:
        yield made


def grow(box: BranchingSandbox, code: str, parent: str = ROOT_NODE) -> str:
    node = f"t{next(NAMES)}"
    result = box.step(parent, node, code)
    assert result.ok and result.exception is None, result
    return node


def see(box: BranchingSandbox, parent: str, code: str) -> str | None:
    return box.step(parent, f"t{next(NAMES)}", code).value


WRITES_ON = "import os; f = open('log', 'w'); f.write('one'); f.flush(); os.dup2(f.fileno(), 0)"
"""Descriptor 0 is not opened anew in a branch, which so has the parent's own."""


def test_what_a_node_wrote_in_place_is_its_own_once_another_is_shown(
    box: BranchingSandbox,
) -> None:
    """With a file open for writing, over several steps in place, a branch, and a way back."""
    node = grow(box, WRITES_ON)
    for word in ("two", "three"):
        assert box.step(node, node, f"f.write('{word}'); f.flush()").ok
    other = grow(box, "open('log', 'w').write('other')")
    child = grow(box, "os.write(0, b'astray'); f.write('child'); f.flush()", node)
    assert see(box, node, "open('log').read()") == "'onetwothree'"
    assert see(box, child, "open('log').read()") == "'onetwothreechild'"
    assert see(box, other, "open('log').read()") == "'other'"


def test_a_dropped_nodes_files_are_gone(box: BranchingSandbox) -> None:
    parent = grow(box, "open('mine', 'w').write('1')")
    child = grow(box, "f = open('mine', 'a'); f.write('2'); f.flush()", parent)
    box.drop(child)
    assert see(box, parent, "open('mine').read()") == "'1'"
    assert box.grade(parent, "open('mine').read()").value == "'1'"


def test_looking_at_files_changes_nothing(box: BranchingSandbox) -> None:
    node = grow(box, "import os; os.mkdir('d'); open('d/a', 'w').write('abc'); os.chmod('d/a', 0)")
    assert box.files(node) == (("d/a", 3),)
    assert box.get(node, "d/a") == b"abc"
    assert box.step(node, node, "os.symlink('/etc/passwd', 'b'); open('c', 'w').write('c')").ok
    assert box.files(node) == (("b", None), ("c", 1), ("d/a", 3))
    assert box.files(node, most=2) == (("b", None), ("c", 1))
    child = grow(box, "import os; os.unlink('c')", node)
    assert [path for path, _ in box.files(node)] == ["b", "c", "d/a"]
    assert [path for path, _ in box.files(child)] == ["b", "d/a"]
    assert see(box, node, "oct(os.stat('d/a').st_mode)[-3:]") == "'000'"


@pytest.mark.parametrize("size", [10, 20_000])
def test_code_that_waits_for_its_node_and_code_that_follows_it(
    box: BranchingSandbox, size: int
) -> None:
    node = grow(box, "x = 1")
    padding = f"# {'x' * size}\n"
    assert see(box, node, f"{padding}x + 1") == "2"
    died = box.step(node, f"t{next(NAMES)}", f"{padding}import os; os._exit(3)")
    assert (died.why, died.status) == ("died", "exit code 3")
    hangs = f"{padding}import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    assert box.step(node, f"t{next(NAMES)}", hangs, StepLimits(seconds=0.3)).why == "timeout"
    flood = box.step(node, f"t{next(NAMES)}", f"{padding}print('x' * 10**6)")
    assert flood.truncated == 10**6 + 1 - (64 << 10)


def test_a_child_that_keeps_its_parent_awake_is_watched_all_the_same(
    box: BranchingSandbox,
) -> None:
    parent = grow(box, "import os, signal; me = os.getpid(); x = 1")
    before = see(box, parent, "me")
    code = "while True: os.kill(me, signal.SIGCONT)"
    found = box.step(parent, f"t{next(NAMES)}", code, StepLimits(seconds=0.3))
    assert found.why == "timeout"
    assert see(box, parent, "me") == before, "it was ended for it"


DRAW = "import random; random.random()"


def test_a_branch_draws_as_its_parent_would_and_the_agents_own_forks_as_ever(
    box: BranchingSandbox,
) -> None:
    node = grow(box, "import random; random.seed(5)")
    assert see(box, node, DRAW) == see(box, node, DRAW) == "0.6229016948897019"
    own = (
        "import os, random\nreading, writing = os.pipe()\nif not os.fork():\n"
        "    os.write(writing, repr(random.random()).encode()); os._exit(0)\n"
        "os.wait(); os.read(reading, 99).decode()"
    )
    assert see(box, node, own) != "'0.6229016948897019'"


def test_nothing_of_the_machines_start_up_files_is_in_a_node(box: BranchingSandbox) -> None:
    assert see(box, ROOT_NODE, "import sys; 'sitecustomize' in sys.modules") == "False"
    assert see(box, ROOT_NODE, "exit, quit, help, copyright; 1") == "1"


CALLS = "import socket; socket.socket(socket.AF_UNIX).connect('/door/socket')"


def test_the_door_is_shut_before_any_node_is_there() -> None:
    with sandbox("docker") as box:
        assert see(box, ROOT_NODE, "import os; os.path.isdir('/door')") == "True"
        assert see(box, ROOT_NODE, "import os; os.path.exists('/door/socket')") == "False"
        called = box.step(ROOT_NODE, "call", CALLS)
        assert called.exception is not None and "Error" in called.exception


def test_a_door_lies_where_only_its_owner_may_go() -> None:
    door = ProgramSocket()
    place = door.folder.parent
    try:
        assert door.open() and place.stat().st_mode & 0o777 == 0o700
    finally:
        door.close()
    door.close()
    assert not place.exists()


def test_without_a_door_the_attached_streams_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path has at most 107 bytes."""
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with sandbox("docker") as box:
        assert see(box, ROOT_NODE, "import os; os.path.exists('/door')") == "False"
    assert not os.listdir(deep)


def test_threads_that_choose_at_once_try_a_backend_once() -> None:
    require("bubblewrap")
    check.check.cache_clear()
    check._choose.cache_clear()
    together = threading.Barrier(4)

    def choose() -> check.Choice:
        together.wait()
        return check.choose("bubblewrap")

    with ThreadPoolExecutor(4) as pool:
        first, *others = [job.result() for job in [pool.submit(choose) for _ in range(4)]]
    assert all(other is first for other in others)
    assert first.backend.name in BACKENDS

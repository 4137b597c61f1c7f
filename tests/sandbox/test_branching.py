"""What our own backends promise beyond the contract of test_contract.py: replay, limits, files."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from sandbox.errors import SandboxError
from sandbox.protocol import ROOT_NODE, Quota, Result, StepLimits
from sandbox.testing import grow, new_node, see
from tests.support.sandboxes import sandbox

FILES = """
import hashlib, os
found = []
for folder, folders, files in os.walk("."):
    folders.sort()
    for name in sorted(files):
        path = os.path.join(folder, name)
        found.append((path, oct(os.lstat(path).st_mode), open(path, "rb").read()))
    found += [(os.path.join(folder, name), "folder") for name in folders]
found
"""
"""Run by the judge: the names, modes and contents of a node's files."""


@pytest.fixture(scope="module", params=list(BACKENDS))
def box(request: pytest.FixtureRequest) -> Iterator[BranchingSandbox]:
    with sandbox(request.param) as made:
        yield made


@pytest.fixture(scope="module", params=["bubblewrap", "docker"])
def strong(request: pytest.FixtureRequest) -> Iterator[BranchingSandbox]:
    """Overlay and copies: the two ways of files."""
    with sandbox(request.param) as made:
        yield made


def test_a_traceback_names_the_step(box: BranchingSandbox) -> None:
    found = box.step(ROOT_NODE, new_node(), "def f():\n    return 1 / 0\nf()")
    assert '  File "<step 1>", line 2, in f\n    return 1 / 0' in str(found.exception)


def test_each_branch_goes_on_in_its_own_open_file(box: BranchingSandbox) -> None:
    start = grow(box, "f = open('log', 'w+'); f.write('start '); f.flush()")
    left, right = grow(box, "f.write('left')", start), grow(box, "f.write('right')", start)
    assert see(box, left, "f.flush(); open('log').read()") == "'start left'"
    assert see(box, right, "f.flush(); open('log').read()") == "'start right'"
    assert box.get(start, "log") == b"start "
    assert see(box, start, "f.seek(0); f.read()") == "'start '"


def test_the_temporary_folder_belongs_to_the_node(box: BranchingSandbox) -> None:
    start = grow(box, "import tempfile; t = tempfile.mkstemp()[1]; open(t, 'w').write('1')")
    grow(box, "open(t, 'w').write('2')", start)
    assert see(box, start, "open(t).read()") == "'1'"


@pytest.mark.parametrize(
    ("code", "why", "status"),
    [
        ("while True: pass", "timeout", "signal 9 (Killed)"),
        ("import os; os._exit(3)", "died", "exit code 3"),
        ("import ctypes; ctypes.string_at(0)", "died", "signal 11 (Segmentation fault)"),
        ("while True: print('x' * 65536)", "flood", "signal 9 (Killed)"),
        ("x = [bytes([1]) * (1 << 20) for _ in range(400)]", "memory", "signal 9 (Killed)"),
    ],
)
def test_a_node_that_fails_leaves_its_parent(
    box: BranchingSandbox, code: str, why: str, status: str
) -> None:
    start = grow(box, "x = 1; open('f', 'w').write('1')")
    limits = StepLimits(
        seconds=5.0 if why != "timeout" else 0.3, flood_bytes=8 << 20, memory_bytes=100 << 20
    )
    node = new_node()
    found = box.step(start, node, "open('f', 'w').write('2')\n" + code, limits)
    assert (found.why, found.status) == (why, status)
    assert see(box, start, "x, open('f').read()") == "(1, '1')"
    with pytest.raises(KeyError):
        box.step(node, "never", "x")
    # The same in place: the node is rebuilt as it was before.
    going = grow(box, "x += 1", start)
    assert box.step(going, going, "x += 1").ok
    assert box.step(going, going, code, limits).why == why
    assert see(box, going, "x, open('f').read()") == "(3, '1')"


def test_files_are_put_before_and_got_after() -> None:
    with sandbox("bubblewrap") as box:
        box.put("data/table.csv", b"1,2\n")
        for wrong in ("/etc/passwd", "../up", ""):
            with pytest.raises(ValueError, match="not a path below"):
                box.put(wrong, b"")
        node = grow(box, "open('big', 'wb').write(bytes(range(256)) * 1000)")
        assert box.get(node, "data/table.csv") == b"1,2\n"
        assert box.get(node, "big") == bytes(range(256)) * 1000
        for path, message in (
            ("none", "No such file"),
            ("big", "larger than 10"),
            ("../x", "not a path"),
        ):
            with pytest.raises(FileNotFoundError, match=message):
                box.get(node, path, max_bytes=10)
        with pytest.raises(ValueError, match="before the first step"):
            box.put("late", b"")


THREAD = """
import threading, time
t = threading.Thread(target=time.sleep, args=(60,), daemon=True)
t.start()
"""
WAL = """
import sqlite3
c = sqlite3.connect("d")
c.execute("PRAGMA journal_mode=WAL")
c.execute("CREATE TABLE t (a)")
c.commit()
"""
INSERT = "c.execute('INSERT INTO t VALUES (1)').rowcount, c.execute('SELECT a FROM t').fetchall()"
SHARED = "import mmap; m = mmap.mmap(-1, 4096); m[0] = 1"
PIPE = "import os; r, w = os.pipe(); n = os.write(w, b'x')"


@pytest.mark.parametrize(
    ("mark", "code", "look"),
    [
        ("threads", THREAD, "t.is_alive()"),
        ("wal", WAL, INSERT),
        ("mmap", SHARED, "old, m[0] = m[0], m[0] + 1; old"),
        ("descriptors", PIPE, "os.write(w, b'y'), os.read(r, 9)"),
    ],
)
def test_what_no_fork_carries_is_marked_and_replayed(
    strong: BranchingSandbox, mark: str, code: str, look: str
) -> None:
    start = grow(strong, "steps = ['start']")
    result = strong.step(start, node := new_node(), f"{code}\nsteps.append('marked')")
    assert result.ok and result.unforkable == (mark,)
    first, second = see(strong, node, look), see(strong, node, look)
    assert first == second, "a branch saw what its sibling did"
    assert see(strong, node, "steps") == "['start', 'marked']"
    assert strong.step(node, new_node(), "x = 1").unforkable == (mark,)


def test_evicted_nodes_are_rebuilt_from_the_nearest_that_lives() -> None:
    with sandbox("bubblewrap", Quota(memory_bytes=256 << 20, nodes=4)) as box:
        nodes = [ROOT_NODE]
        for depth in range(8):
            nodes.append(
                grow(box, f"x{depth} = {depth}; open('f', 'a').write('{depth}')", nodes[-1])
            )
        stat = box.stat()
        assert len(stat.alive) <= 4 and set(stat.evicted) >= set(nodes[1:4])
        assert see(box, nodes[3], "x2, open('f').read()") == "(2, '012')"
        assert box.get(nodes[2], "f") == b"01"
        assert box.grade(nodes[1], "open('f').read()").value == "'0'"


@pytest.mark.parametrize("name", ["bubblewrap", "docker"])
def test_where_the_kernel_refuses_a_fork_others_are_evicted_for_it(name: str) -> None:
    with sandbox(name, Quota(memory_bytes=256 << 20, pids=12)) as box:
        nodes = [grow(box, f"x = {at}") for at in range(24)]
        assert len(box.stat().alive) < 12
        assert [see(box, node, "x") for node in nodes[:3]] == ["0", "1", "2"]


def test_sandboxes_do_not_count_each_others_processes() -> None:
    boxes = [sandbox("docker", Quota(memory_bytes=128 << 20, pids=24)) for _ in range(4)]
    try:
        for box in boxes:
            for at in range(12):
                grow(box, f"x = {at}")
            assert len(box.stat().alive) == 13
    finally:
        for box in boxes:
            box.close()


def test_memory_evicts_too() -> None:
    with sandbox("bubblewrap", Quota(memory_bytes=128 << 20)) as box:
        nodes = [grow(box, f"x = bytes([{at}]) * (20 << 20)") for at in range(1, 6)]
        stat = box.stat()
        assert sum(stat.node_bytes.values()) <= 64 << 20 and stat.evicted
        assert [see(box, node, "x[-1]") for node in nodes] == ["1", "2", "3", "4", "5"]


def test_a_replay_that_with_another_result_is_reported(strong: BranchingSandbox) -> None:
    node = grow(strong, "import os; x = os.urandom(8).hex(); x")
    child = grow(strong, "y = x", node)
    strong.close()
    assert strong.step(child, "lost", "y").why == "lost"
    assert strong.step(ROOT_NODE, new_node(), "1").value == "1"


def test_a_sandbox_that_was_ended_comes_back_with_its_nodes(box: BranchingSandbox) -> None:
    node = grow(box, "x = 5; open('f', 'w').write('five')", grow(box, "w = 4"))
    box.close()
    box.close()
    assert see(box, node, "w, x, open('f').read()") == "(4, 5, 'five')"


def test_dropped_nodes_free_what_they_held(strong: BranchingSandbox) -> None:
    before = strong.stat()
    start = grow(strong, "x = 1")
    child = grow(strong, "y = 2", start)
    strong.drop(start)
    strong.drop(start)
    strong.drop("never there")
    with pytest.raises(KeyError):
        strong.step(start, "again", "x")
    assert see(strong, child, "x, y") == "(1, 2)"
    strong.drop(child)
    strong.close()
    for node in set(strong.stat().alive) - set(before.alive):
        strong.drop(node)
    assert strong.stat().pids <= before.pids


def test_leftovers_of_a_step_are_gone_before_the_next(strong: BranchingSandbox) -> None:
    node = grow(
        strong, "import subprocess; p = subprocess.Popen(['sleep', '60'], start_new_session=True)"
    )
    stat = strong.stat()
    assert stat.pids == len(stat.alive)
    assert see(strong, node, "p.poll() is not None") == "True"


def test_what_a_node_needs_itself_may_be_patched(box: BranchingSandbox) -> None:
    code = (
        "import json, os, random; json.dumps = json.loads = os.fork = os.dup2 = random.seed = None"
    )
    assert see(box, grow(box, code), "json.dumps, 6 * 7") == "(None, 42)"


def test_a_prelude_runs_first_and_its_failure_is_reported() -> None:
    with sandbox("bubblewrap", prelude="table = {'a': 1}") as box:
        assert see(box, ROOT_NODE, "table") == "{'a': 1}"
    with (
        sandbox("bubblewrap", prelude="1 / 0") as broken,
        pytest.raises(SandboxError, match="division"),
    ):
        broken.start()


def result_key(found: Result) -> tuple[object, ...]:
    return found.why, found.output, found.value, found.exception, found.unforkable


NUMBER = st.integers(0, 3)
LINES = st.one_of(
    st.builds("v{} = {}".format, NUMBER, st.integers(-9, 9)),
    st.builds("print(sorted(n for n in globals() if n[:1] == 'v'), v{})".format, NUMBER),
    st.builds("import random; random.seed({})".format, NUMBER),
    st.just("import random; print(random.random(), random.choice('abc'))"),
    st.builds("open('f{}', 'a').write('{}')".format, NUMBER, st.text("ab\u00e9", max_size=3)),
    st.builds("print(open('f{}').read())".format, NUMBER),
    st.builds("h{} = open('f{}', 'a+')".format, NUMBER, NUMBER),
    st.builds("h{}.write('h'); h{}.flush()".format, NUMBER, NUMBER),
    st.builds("h{0}.seek({1}); print(repr(h{0}.read(2)))".format, NUMBER, NUMBER),
    st.builds("import os; os.remove('f{}')".format, NUMBER),
    st.builds("import os; os.makedirs('d{}/e')".format, NUMBER),
    st.builds("import os; os.rename('f{}', 'f{}')".format, NUMBER, NUMBER),
    st.builds("import os; os.chmod('f{}', 0o4{}0)".format, NUMBER, NUMBER),
    st.builds("import os; os.symlink('f{}', 'f{}')".format, NUMBER, NUMBER),
    st.builds("import os; os.chdir('d{}')".format, NUMBER),
    st.builds("import shutil; shutil.rmtree('d{}')".format, NUMBER),
    st.just("import os; print(sorted(os.listdir()), os.getcwd().rpartition('work')[2])"),
    st.builds("def g{}(): return v{}".format, NUMBER, NUMBER),
    st.builds("g{}()".format, NUMBER),
    st.just("print({'a', 'b', 'c'})"),
    st.just("1 / 0"),
)
CODE = st.lists(LINES, min_size=1, max_size=4).map("\n".join)


@given(
    path=st.lists(CODE, min_size=1, max_size=4),
    other=CODE,
    last=CODE,
    at=st.integers(0, 3),
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_branch_is_what_its_replay_is(
    strong: BranchingSandbox, path: list[str], other: str, last: str, at: int
) -> None:
    """Branch in the middle, go on there, come back: as if the path had been walked alone."""
    nodes = [ROOT_NODE]
    for code in path:
        nodes.append(new_node())
        assert strong.step(nodes[-2], nodes[-1], code).ok
    aside = new_node()
    assert strong.step(nodes[min(at, len(path))], aside, other).ok
    strong.step(aside, new_node(), last)
    end = new_node()
    branched = result_key(strong.step(nodes[-1], end, last)), strong.grade(end, FILES).value

    alone = ROOT_NODE
    for code in path:
        strong.step(alone, alone := new_node(), code)
    again = new_node()
    replayed = result_key(strong.step(alone, again, last)), strong.grade(again, FILES).value
    assert branched == replayed
    for node in (end, again, aside, *reversed(nodes)):
        strong.drop(node)

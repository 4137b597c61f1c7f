"""The Python environment: its tools, its states, and code that ends its interpreter."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environments import Action, Task, ToolEnv, make
from environments.python.env import PythonEnv
from environments.python.text import SHOWN_CHARS
from sandbox.errors import SandboxError, StateLost
from search import Dfsdt, Proposal, Request
from tests.support.python_world import TASK, ImpatientEnv, start
from tests.support.searching import play

FILES = {"in.txt": "one\ntwo\n", "sub/more.csv": "a,b\n1,2\n"}
WITH_FILES = Task("f", "?", {"answer": "12"}, {"files": FILES}, group="f")
VISIBLE = Task(
    "v", "?", TASK.secret, {"visible": ["assert f(1) == 1", "assert f(2) == 4"]}, {}, "v"
)


@pytest.fixture(scope="module")
def env() -> Iterator[ToolEnv]:
    made = ImpatientEnv()
    yield made
    made.close()


def see(env: ToolEnv, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """A step that does not end the task."""
    observation, reward, terminated, truncated, info = env.step(Action(tool, arguments))
    assert (reward, terminated, truncated) == (0.0, False, False)
    return observation, info


def test_cells_show_what_a_person_would_see(env: ToolEnv) -> None:
    start(env)
    assert see(env, "python", code="x = 3") == ("(no output)", {})
    assert see(env, "python", code="print('a')\nx + 1") == ("a\n4", {})
    assert see(env, "python", code="f'{x} pears'") == ("'3 pears'", {})
    observation, info = see(env, "python", code="def g():\n    return 1 / 0\n\ng()")
    assert info == {"error": "exception"}
    lines = observation.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "ZeroDivisionError: division by zero" and "    return 1 / 0" in lines
    assert see(env, "python", code="x = ")[0].endswith("SyntaxError: invalid syntax")
    assert see(env, "python", code="x") == ("3", {})


def test_long_output_is_cut_in_the_middle_with_the_count(env: ToolEnv) -> None:
    start(env)
    observation, _ = see(env, "python", code="print('<' + 'x' * 50_000 + '>')")
    left_out = 50_002 - SHOWN_CHARS
    assert f"\n... {left_out} characters left out ...\n" in observation
    assert observation.startswith("<x") and observation.endswith("x>")
    assert len(observation) < SHOWN_CHARS + 60
    observation, _ = see(env, "python", code="print('y' * 10_000_000)")
    assert observation.count("left out") == 1
    assert abs(_count_left_out(observation) - (10_000_000 - SHOWN_CHARS)) < 100
    observation, _ = see(env, "python", code="'v' * 400_000")
    assert _count_left_out(observation) == 400_002 - SHOWN_CHARS


def _count_left_out(observation: str) -> int:
    return int(observation.partition("\n... ")[2].split()[0])


def test_files(env: ToolEnv) -> None:
    start(env, WITH_FILES)
    assert see(env, "list_files")[0] == "in.txt (8 bytes)\nsub/more.csv (8 bytes)"
    assert see(env, "read_file", path="in.txt") == ("one\ntwo\n", {})
    assert see(env, "write_file", path="new/a.txt", content="x\r\ny")[0].startswith("wrote 4 char")
    assert see(env, "python", code="open('new/a.txt', newline='').read()")[0] == r"'x\r\ny'"
    see(env, "python", code="import os; os.chdir('new'); open('b.txt', 'w').write('')")
    assert see(env, "list_files")[0].splitlines()[1:3] == [
        "new/a.txt (4 bytes)",
        "new/b.txt (0 bytes)",
    ]
    assert see(env, "read_file", path="new/b.txt")[0] == "(empty)"
    assert see(env, "write_file", path="top.txt", content="1")[1] == {}
    assert see(env, "read_file", path="top.txt")[0] == "1"
    for path, kind in (("no.txt", "no_file"), ("/etc/passwd", "bad_path"), ("../x", "bad_path")):
        observation, info = see(env, "read_file", path=path)
        assert observation.startswith("error: ") and info == {"error": kind}
    see(env, "python", code="import os; os.symlink('/etc/passwd', os.environ['HOME'] + '/link')")
    assert see(env, "read_file", path="link")[1] == {"error": "no_file"}
    assert see(env, "write_file", path="../x", content="")[1] == {"error": "bad_path"}
    assert see(env, "write_file", path="top.txt/x", content="")[1] == {"error": "file_error"}
    start(env)
    assert see(env, "list_files")[0] == "(no files)"


def test_visible_tests_run_on_what_is_defined_and_leave_it_alone(env: ToolEnv) -> None:
    start(env)
    assert see(env, "run_tests")[0] == "this task has no visible tests"
    start(env, VISIBLE)
    assert "NameError" in see(env, "run_tests")[0]
    see(env, "python", code="n = 0\ndef f(x):\n    global n\n    n += 1\n    return x")
    observation, info = see(env, "run_tests")
    assert observation.splitlines() == [
        "passed: assert f(1) == 1",
        "FAILED: assert f(2) == 4",
        "  AssertionError",
        "1 of 2 tests passed",
    ]
    assert info == {} and see(env, "python", code="n") == ("0", {})
    see(env, "python", code="def f(x):\n    import os\n    os._exit(1)")
    assert see(env, "run_tests")[1] == {"error": "died"}
    assert see(env, "python", code="n") == ("0", {})


def test_answers(env: ToolEnv) -> None:
    def answer(task: Task, **arguments: Any) -> tuple[str, float, bool, dict[str, Any]]:
        start(env, task)
        observation, reward, terminated, _, info = env.step(Action("answer", arguments))
        return observation, reward, terminated, info

    done = "answer submitted"
    right, half = "def f(x):\n    return x * x", "def f(x):\n    return x"
    assert answer(TASK, code=right) == (done, 1.0, True, {"passed": 2, "tests": 2})
    assert answer(TASK, code=half) == (done, 0.0, True, {"passed": 1, "tests": 2})
    why = {"passed": 0, "tests": 2, "why": "exception"}
    assert answer(TASK, code="1/0") == (done, 0.0, True, why)
    assert answer(WITH_FILES, value="12.0 kg")[1:] == (1.0, True, {"passed": 1, "tests": 1})
    assert answer(WITH_FILES, value=12)[1] == 1.0
    assert answer(WITH_FILES, value="13")[1:] == (0.0, True, {"passed": 0, "tests": 1})
    for task, wrong in ((TASK, {"value": "1"}), (WITH_FILES, {"code": "12"})):
        observation, _, terminated, info = answer(task, **wrong)
        assert "wants an answer with" in observation and not terminated
        assert info == {"error": "bad_arguments"}
    assert answer(TASK)[3] == answer(TASK, code=right, value="1")[3] == {"error": "bad_arguments"}


def test_an_answer_may_use_files_that_the_agent_wrote(env: ToolEnv) -> None:
    start(env)
    see(env, "write_file", path="power.py", content="def square(x):\n    return x * x\n")
    code = "from power import square\ndef f(x):\n    return square(x)"
    assert env.step(Action("answer", {"code": code}))[1] == 1.0


def test_partial_credit() -> None:
    env = make("python", partial=True)
    try:
        for code, reward in (("def f(x): return x", 0.5), ("def f(x): return x * x", 1.0), ("", 0)):
            start(env)
            assert env.step(Action("answer", {"code": code}))[1] == reward
    finally:
        env.close()


def test_a_package_that_is_not_there_is_no_mistake_of_the_agents(env: ToolEnv) -> None:
    start(env, Task("p", "?", TASK.secret, {"packages": ["json", "no_such_package"]}))
    with pytest.raises(SandboxError, match="no_such_package"):
        env.step(Action("python", {"code": "1"}))
    start(env, Task("p", "?", TASK.secret, {"packages": ["json"]}))
    assert see(env, "python", code="1") == ("1", {})


def test_tasks_do_not_see_each_other(env: ToolEnv) -> None:
    start(env, WITH_FILES)
    see(env, "python", code="import sys, random; sys.left = 1; y = 2; random.seed(5)")
    see(env, "python", code="open('left', 'w').write('x')")
    before = env.snapshot()
    start(env)
    assert "NameError" in see(env, "python", code="y")[0]
    assert see(env, "python", code="import sys, os; hasattr(sys, 'left'), os.path.exists('left')")[
        0
    ] == ("(False, False)")
    env.restore(before)
    assert see(env, "python", code="y, open('left').read(), sys.left")[0] == "(2, 'x', 1)"
    assert see(env, "list_files")[0].startswith("in.txt")
    env.release(before)


FATAL = {
    "import os; os._exit(7)": ("died", "exit code 7"),
    "import os; os.kill(os.getpid(), 9)": ("died", "signal 9"),
    "while True: pass": ("timeout", "stopped after 2 s"),
    "while True: print('x' * 100_000)": ("flood", "wrote more than 64 MB"),
    "x = bytearray(1 << 30)\nfor i in range(0, 1 << 30, 4096): x[i] = 1": ("memory", "256 MB"),
}


@pytest.mark.parametrize("saved", [True, False], ids=["branched", "in place"])
@pytest.mark.parametrize("code", FATAL)
def test_code_that_ends_the_interpreter_leaves_the_state_before(
    env: ToolEnv, code: str, saved: bool
) -> None:
    start(env)
    see(env, "python", code="import random; random.seed(1); a = [1]; open('a', 'w').write('1')")
    snapshot = env.snapshot() if saved else None
    observation, info = see(env, "python", code=f"a.append(2); open('a', 'w').write('2')\n{code}")
    kind, words = FATAL[code]
    assert info == {"error": kind} and words in observation
    assert observation.endswith("its state is as before this call")
    expected = f"([1], '1', {random.Random(1).random()})"
    assert see(env, "python", code="a, open('a').read(), random.random()")[0] == expected
    if snapshot is not None:
        env.release(snapshot)


LINES = [
    "n = globals().get('n', 0) + 1",
    "import random; random.random()",
    "random.seed(n)",
    "import os; os.makedirs('d%d' % n, exist_ok=True); os.chdir('d%d' % n)",
    "os.getcwd(), sorted(os.listdir('.'))",
    "f = open('log', 'a+'); f.write('line %d\\n' % n); f.flush()",
    "f.seek(0); f.read(5)",
    "f.read(), f.tell()",
    "import decimal; decimal.getcontext().prec += 1; decimal.Decimal(1) / 3",
    "import sys; sys.modules.setdefault('mark', []).append(n); sys.modules['mark']",
    "os.environ['N'] = os.environ.get('N', '') + 'x'; os.environ['N']",
    "g = iter(range(9)) if 'g' not in globals() else g; next(g)",
    "open('/tmp/t', 'a').write('t'); os.path.getsize('/tmp/t')",
    "sorted(globals())",
    "1 / 0",
    "os._exit(3)",
]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_every_branch_is_as_if_it_were_the_only_one(env: ToolEnv, rng: random.Random) -> None:
    """Variables, open files, modules, random state, directory and files all belong to the node."""
    start(env, WITH_FILES)
    nodes: list[tuple[Any, list[str]]] = [(env.snapshot(), [])]
    seen: list[tuple[list[str], str]] = []
    for _ in range(8):
        snapshot, way = rng.choice(nodes)
        env.restore(snapshot)
        line = rng.choice(LINES)
        seen.append(([*way, line], see(env, "python", code=line)[0]))
        nodes.append((env.snapshot(), [*way, line]))
    for way, last in seen:
        start(env, WITH_FILES)
        assert [see(env, "python", code=line)[0] for line in way][-1] == last, way
    for snapshot, _ in nodes:
        env.release(snapshot)


def test_a_state_goes_on_after_its_snapshot_is_released(env: ToolEnv) -> None:
    """As a search does that plays the last child of a state of which another child is held."""
    start(env)
    see(env, "python", code="x = 1")
    saved = env.snapshot()
    see(env, "python", code="x = 2")
    child = env.snapshot()
    env.restore(saved)
    env.release(saved)
    assert see(env, "python", code="x += 10; x")[0] == "11"
    assert see(env, "python", code="x += 10; x")[0] == "21"
    env.restore(child)
    env.release(child)
    assert see(env, "python", code="x")[0] == "2"


def test_states_outlive_the_sandbox_by_replay() -> None:
    env = make("python")
    start(env, WITH_FILES)
    see(env, "python", code="x = [1]; open('y', 'w').write('z')")
    snapshot = env.snapshot()
    see(env, "python", code="x.append(2)")
    env.close()
    assert see(env, "python", code="x")[0] == "[1, 2]"
    env.restore(snapshot)
    assert see(env, "python", code="x, open('y').read(), open('in.txt').read()[:3]")[0] == (
        "([1], 'z', 'one')"
    )
    env.close()


def test_a_state_that_cannot_be_made_again_is_lost() -> None:
    env = make("python")
    start(env)
    see(env, "python", code="import os; os.urandom(4)")
    snapshot = env.snapshot()
    env.close()
    env.restore(snapshot)
    with pytest.raises(StateLost):
        env.step(Action("python", {"code": "1"}))
    env.close()


def test_nothing_is_kept_that_nobody_holds() -> None:
    env = make("python")
    assert isinstance(env, PythonEnv)
    snapshots = []
    for task in (TASK, WITH_FILES, VISIBLE):
        start(env, task)
        for number in range(4):
            see(env, "python", code=f"x = {number}")
            snapshots.append(env.snapshot())
            env.restore(snapshots[-1])
    for snapshot in snapshots:
        env.release(snapshot)
    start(env)
    assert env.nodes.sandbox.stat().alive == ("root",)
    env.close()


class Scripted:
    """Plays cells in order wherever it is asked, then the right answer."""

    name = "scripted"

    def __init__(self, cells: Sequence[str]) -> None:
        self._cells = list(cells)

    async def propose(self, request: Request) -> Proposal:
        if self._cells:
            return Proposal((Action("python", {"code": self._cells.pop(0)}),))
        if not any("ready" in step.action.arguments.get("code", "") for step in request.path):
            return Proposal((Action("python", {"code": "ready = x"}),))
        return Proposal((Action("answer", {"code": "def f(x): return x * x"}),))


FORKS = """
import os, time
for _ in range(2000):
    if not os.fork():
        os.setsid(); time.sleep(99)
"""
FILLS = "with open('big', 'wb') as f:\n    while True: f.write(b'x' * 1_000_000)"


async def test_a_search_goes_on_at_the_parent_and_the_tree_says_why(env: ToolEnv) -> None:
    cells = ["x = 5", "import os; os._exit(1)", "while True: print('x' * 99999)", FORKS, FILLS]
    tree = await play(Dfsdt, env, TASK, Scripted(cells), depth=9, calls=30)
    kinds = [node.step.info.get("error") for node in tree.nodes]
    assert tree.solved
    assert kinds[:3] == [None, "died", "flood"]
    assert set(kinds[3:5]) <= {"exception", "died", "memory", "timeout"}
    assert tree.nodes[-2].step.observation == "(no output)"  # x is still there
    assert not tree.replayed


SQUARE = "def f(x):\n    return x * x"


@pytest.mark.parametrize(
    "form",
    [
        "```python\n{}\n```",
        "Sure:\n\n```py\n{}\n```\nIt squares.",
        "~~~\n{}\n~~~",
        "```python\r\n{}\r\n```\r\n",
        "```python\n{}",
        "{}\n```",
    ],
)
def test_code_in_markdown_is_unwrapped(env: ToolEnv, form: str) -> None:
    start(env)
    assert see(env, "python", code=form.format(SQUARE)) == ("(no output)", {})
    see(env, "write_file", path="power.py", content=form.format(SQUARE))
    assert see(env, "python", code="import power; power.f(3) + f(1)") == ("10", {})
    assert env.step(Action("answer", {"code": form.format(SQUARE)}))[1:3] == (1.0, True)


def test_a_fence_within_code_or_a_text_is_left_alone(env: ToolEnv) -> None:
    start(env)
    code = 't = """\n```python\n1\n```\n"""\nlen(t)'
    assert see(env, "python", code=code) == ("17", {})
    see(env, "write_file", path="a.md", content="```\n1\n```")
    assert see(env, "read_file", path="a.md")[0] == "```\n1\n```"


@pytest.mark.parametrize("value", ["```\n12\n```", "`12`", "```text\n12 kg\n```"])
def test_a_value_in_markdown_is_unwrapped(env: ToolEnv, value: str) -> None:
    start(env, WITH_FILES)
    assert env.step(Action("answer", {"value": value}))[1] == 1.0


@pytest.mark.parametrize("said", ["", "I square the number.", "```\nNo idea, sorry\n```"])
def test_an_answer_without_code_may_be_sent_again(env: ToolEnv, said: str) -> None:
    start(env)
    observation, reward, terminated, _, info = env.step(Action("answer", {"code": said}))
    assert "no Python code" in observation and (reward, terminated) == (0.0, False)
    assert info == {"error": "bad_arguments"}
    assert env.step(Action("answer", {"code": SQUARE}))[1:3] == (1.0, True)


def test_a_slip_in_code_is_an_answer(env: ToolEnv) -> None:
    start(env)
    assert env.step(Action("answer", {"code": "def f(x)\n    return x"}))[2]

"""Verdicts: what passes, what does not, and that the answer's own code has no say in it."""

from collections.abc import Iterator
from typing import Any

import pytest

from environments.python.grading import INSIDE, Verdict, grade, marked
from environments.python.values import number, same_answer
from environments.types import Task
from sandbox.branching import BranchingSandbox
from sandbox.protocol import ROOT_NODE
from tests.support.sandboxes import SMALL, require
from tests.support.sandboxes import sandbox as a_sandbox

NEEDLE = "needle-93817-in-the-haystack"


@pytest.fixture(scope="module", params=["bubblewrap", "docker"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[BranchingSandbox]:
    require(request.param)
    with a_sandbox(request.param, SMALL, INSIDE.code()) as made:
        yield made


def task(*tests: str, seconds: float = 3.0, **details: Any) -> Task:
    return Task("t", "?", {"tests": list(tests)}, {"seconds": seconds, **details})


def said(sandbox: BranchingSandbox, code: str, *tests: str, seconds: float = 3.0) -> Verdict:
    return grade(sandbox, ROOT_NODE, task(*tests, seconds=seconds), code)


ADD = "def add(a, b):\n    return a + b\n"


def test_each_test_counts(sandbox: BranchingSandbox) -> None:
    tests = "assert add(1, 2) == 3", "assert add(2, 2) == 5", "assert add('a', 'b') == 'ab'"
    assert said(sandbox, ADD, *tests) == Verdict(2, 3, False)
    assert said(sandbox, ADD, tests[0], tests[2]) == Verdict(2, 2, True)


@pytest.mark.parametrize(
    ("returned", "test"),
    [
        ("None", "f() is None"),
        ("True", "f() is True"),
        ("10 ** 5000", "f() == 10 ** 5000"),
        ("-(1 << 60)", "f() == -(1 << 60)"),
        ("float('inf'), float('nan')", "f()[0] == float('inf') and f()[1] != f()[1]"),
        ("1 + 2j", "f() == 1 + 2j"),
        ("[1, (2, {3}), frozenset([4])]", "f() == [1, (2, {3}), frozenset([4])]"),
        ("{(1, 2): 'x', None: b'y'}", "f() == {(1, 2): 'x', None: b'y'}"),
        ("bytearray(b'ab')", "f() == bytearray(b'ab') and type(f()) is bytearray"),
        ("range(2, 9, 3)", "f() == range(2, 9, 3)"),
        ("(n * n for n in range(4))", "list(f()) == [0, 1, 4, 9]"),
        ("__import__('itertools').count()", "next(f()) == 0"),
        ("map(str, [1, 2])", "list(f()) == ['1', '2']"),
        ("{'a': 1}.keys()", "f() == {'a'}"),
        ("{'a': 1}.items()", "f() == {('a', 1)}"),
        ("{'a': 1}.values()", "list(f()) == [1]"),
        ("__import__('collections').Counter('aab')", "f().most_common(1) == [('a', 2)]"),
        ("__import__('collections').OrderedDict(a=1)", "list(f().items()) == [('a', 1)]"),
        ("__import__('collections').defaultdict(list, a=[1])", "f() == {'a': [1]}"),
        ("__import__('collections').deque([1, 2], 2)", "f().maxlen == 2 and list(f()) == [1, 2]"),
        ("__import__('collections').namedtuple('P', 'x y')(1, 2)", "f() == (1, 2) and f().y == 2"),
        ("__import__('fractions').Fraction(1, 3)", "f() * 3 == 1"),
        ("__import__('decimal').Decimal('1.10')", "str(f()) == '1.10'"),
        ("__import__('datetime').date(2025, 1, 2)", "f().year == 2025"),
        ("__import__('datetime').timedelta(days=2)", "f().days == 2"),
        ("'\\ud800'", "f() == '\\ud800'"),
        ("type('N', (int,), {})(4)", "f() == 4"),
        ("lambda x: x + 1", "f()(4) == 5"),
    ],
)
def test_results_come_back_as_they_are(sandbox: BranchingSandbox, returned: str, test: str) -> None:
    assert said(sandbox, f"def f():\n    return {returned}\n", f"assert {test}").solved


def test_arguments_that_are_changed_in_place(sandbox: BranchingSandbox) -> None:
    code = "def f(a, b, c):\n    a.sort()\n    b['x'] = [1]\n    c.add(3)\n"
    test = "a, b, c = [2, 1], {}, set()\nf(a, b, c)\nassert (a, b, c) == ([1, 2], {'x': [1]}, {3})"
    assert said(sandbox, code, test).solved


def test_exceptions_are_pythons_own(sandbox: BranchingSandbox) -> None:
    code = "class Odd(ValueError):\n    pass\ndef f(x):\n    raise Odd('bad ' + x)\n"
    test = (
        "try:\n    f('one')\nexcept ValueError as e:\n    assert str(e) == 'bad one'\nelse:\n    "
    )
    assert said(sandbox, code, test + "assert False").solved
    assert not said(sandbox, "def f(x):\n    return 1\n", test + "assert False").solved


def test_objects_of_the_answers_own_class(sandbox: BranchingSandbox) -> None:
    code = """
class Stack:
    def __init__(self): self.items, self.name = [], ''
    def push(self, item): self.items.append(item); return self
    def __len__(self): return len(self.items)
    def __getitem__(self, place): return self.items[place]
    def __iter__(self): return iter(self.items)
    def __str__(self): return 'stack of ' + self.name
"""
    test = """
s = Stack()
s.push(1).push([2])
s.name = 'x'
assert len(s) == 2 and s[1] == [2] and list(s) == [1, [2]] and s.items == [1, [2]]
assert str(s) == 'stack of x' and s and 1 in s
"""
    assert said(sandbox, code, test).solved


FORGERIES = {
    "equal to everything": """
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 3
def f(x): return Yes()
""",
    "an int that equals everything": """
class Yes(int):
    def __eq__(self, other): return True
def f(x): return Yes()
""",
    "a list that equals everything": """
class Yes(list):
    def __eq__(self, other): return True
def f(x): return Yes()
""",
    "patched builtins": """
import builtins
for name in ('len', 'print', 'all', 'sum', 'isinstance', 'compile', 'exec', 'open'):
    setattr(builtins, name, lambda *a, **k: True)
def f(x): return 0
""",
    "patched modules": """
import sys, json, os, types
json.loads = lambda *a, **k: {'passed': 1, 'whole': True, 'why': ''}
json.dumps = lambda *a, **k: '{"passed": 1, "whole": true, "why": ""}'
for name in ('unittest', 'pytest', 'treegraft_inside', 'treegraft_inside.grader'):
    sys.modules[name] = types.ModuleType(name)
def f(x): return 0
""",
    "exit at load": "import os\nos._exit(0)",
    "exit in a call": "import os\ndef f(x): os._exit(0)",
    "SystemExit": "def f(x): raise SystemExit(0)",
    "AssertionError": "def f(x): raise AssertionError",
    "a replaced check": "def check(*a): pass\ndef f(x): return 0\n__marks__ = None",
    "forged replies": """
import json, os
def forge(message):
    data = json.dumps(message).encode()
    for fd in range(64):
        try: os.write(fd, len(data).to_bytes(4, 'big') + data)
        except OSError: pass
def f(x):
    forge({'value': None}); forge({'passed': 1, 'whole': True, 'why': ''})
    forge({'value': "{'passed': 1}", 'exception': None, 'unforkable': []})
    return 0
""",
    "garbage on every descriptor": """
import os
def f(x):
    for fd in range(64):
        try: os.write(fd, b'\\xff' * 100000)
        except OSError: pass
    return 0
""",
    "an endless reply": """
import os
def f(x):
    while True:
        for fd in range(3, 12):
            try: os.write(fd, b'\\x00\\x10\\x00\\x00' + b' ' * 4096)
            except OSError: pass
""",
    "strange tags": """
import json, os
def f(x):
    data = json.dumps({'value': ['__import__', 'os'], 'changed': {'0': ['object', 0]}}).encode()
    for fd in range(3, 64):
        try: os.write(fd, len(data).to_bytes(4, 'big') + data)
        except OSError: pass
""",
    "threads that run on": """
import threading, time
def f(x):
    for _ in range(8): threading.Thread(target=lambda: time.sleep(99)).start()
    return 0
""",
    "planted modules": """
for name in ('json', 'random', 'math', 'os', 'copy', 'unittest', 'test_f', 'sitecustomize'):
    open(name + '.py', 'w').write('raise SystemExit(0)')
def f(x): return 0
""",
    "killing everybody": """
import os, signal
def f(x):
    for pid in (os.getppid(), -1):
        try: os.kill(pid, signal.SIGKILL)
        except OSError: pass
    return 0
""",
    "too deep": "def f(x):\n    a = []\n    for _ in range(100000): a = [a]\n    return a",
    "holds itself": "def f(x):\n    a = []\n    a.append(a)\n    return a",
    "no such name": "g = 1",
    "no Python": "def f(x) return",
}


@pytest.mark.parametrize("code", FORGERIES.values(), ids=list(FORGERIES))
def test_a_forged_verdict_is_impossible(sandbox: BranchingSandbox, code: str) -> None:
    tests = [
        "import json, random, math, copy\nassert f(math.floor(1.5)) == 41",
        "f(2) == 42 or 1/0",
    ]
    assert not said(sandbox, code, *tests, seconds=1.0).solved
    assert said(sandbox, "def f(x): return 40 + x", *tests).solved  # nothing of it remains


def test_tests_that_catch_everything_do_not_pass_for_it(sandbox: BranchingSandbox) -> None:
    test = "try:\n    f()\nexcept BaseException:\n    pass"
    assert said(sandbox, "def f(): raise KeyError", test).solved
    assert said(sandbox, "import os\ndef f(): os._exit(0)", test) == Verdict(0, 1, False, "died")
    endless = said(sandbox, "def f():\n    while True: pass", test, seconds=0.5)
    assert endless == Verdict(0, 1, False, "timeout")


HUNT = f"""
import gc, linecache, os, sys
NAME = {NEEDLE[:13]!r}
def texts():
    for thing in gc.get_objects():
        if type(thing) is str: yield thing
        elif type(thing) is dict: yield from (v for v in thing.values() if type(v) is str)
        elif type(thing) in (list, tuple): yield from (v for v in thing if type(v) is str)
    frame = sys._getframe()
    while frame:
        yield repr(frame.f_locals); yield repr(frame.f_globals); frame = frame.f_back
    yield repr(linecache.cache); yield repr(sys.argv)
    paths = [os.path.join(f, n) for f, _, names in os.walk('.') for n in names]
    for pid in filter(str.isdigit, os.listdir('/proc')):
        paths += ['/proc/%s/%s' % (pid, name) for name in ('cmdline', 'environ')]
        try: paths += ['/proc/%s/fd/%s' % (pid, fd) for fd in os.listdir('/proc/%s/fd' % pid)
                       if int(pid) != os.getpid()]
        except OSError: pass
        paths += ['/proc/%s/mem' % pid] if int(pid) != os.getpid() else []
    for path in paths:
        try:
            with open(path, 'rb', buffering=0) as file:
                if path.endswith('/mem'):
                    for line in open(path[:-3] + 'maps'):
                        start, end = (int(n, 16) for n in line.split()[0].split('-'))
                        file.seek(start); yield file.read(end - start).decode('latin-1')
                elif 'fd' not in path: yield file.read(1 << 20).decode('latin-1')
        except (OSError, ValueError): pass
def f():
    for text in texts():
        place = text.find(NAME + 'in')
        place = place if place >= 0 else text.find(NAME + '-in')
        if place >= 0: return text[place:place + {len(NEEDLE)}]
    return 'not found'
"""


def test_hidden_tests_cannot_be_found(sandbox: BranchingSandbox) -> None:
    assert said(sandbox, HUNT, "assert f() == 'not found'", seconds=20.0).solved
    assert not said(sandbox, HUNT, f"assert f() == {NEEDLE!r}", seconds=20.0).solved


def test_files_of_the_task_are_as_they_were_and_the_agents_are_there(
    sandbox: BranchingSandbox,
) -> None:
    spoil = "import os\nopen('in.txt', 'w').write('0')\nopen('help.py', 'w').write('two = 2')"
    sandbox.step(ROOT_NODE, "spoiled", spoil)
    sandbox.step(ROOT_NODE, "piped", "import os\nos.mkfifo('in.txt')")
    code = "def f():\n    return int(open('in.txt').read())"
    given = task("assert f() == 7", files={"in.txt": "7"})
    assert grade(sandbox, "spoiled", given, code).solved
    assert grade(sandbox, "piped", given, code).solved
    own = "from help import two\ndef f(): return two + int(open('in.txt').read())"
    assert grade(sandbox, "spoiled", task("assert f() == 9", files={"in.txt": "7"}), own).solved
    sandbox.drop("spoiled")
    sandbox.drop("piped")


def test_an_interpreter_that_the_agent_bent_does_not_judge(sandbox: BranchingSandbox) -> None:
    bend = """
import builtins, sys
sys.modules['treegraft_inside.grader'].verdict = lambda text: '{"passed": 1, "whole": true}'
builtins.exec = builtins.compile = None
"""
    assert sandbox.step(ROOT_NODE, "bent", bend).ok
    given = task("assert f() == 7")
    assert not grade(sandbox, "bent", given, "def f(): return 8").solved
    assert grade(sandbox, "bent", given, "def f(): return 7").solved
    sandbox.drop("bent")


def test_names_that_the_answer_cannot_replace(sandbox: BranchingSandbox) -> None:
    """Only what the solution defines is the answer's: not `set`, not `helper`."""
    secret = {"tests": ["assert set(f()) == set([1])"], "solution": "def f(): return [1]"}
    cheat = "def set(x): return 0\ndef f(): return [2]"
    assert not grade(sandbox, ROOT_NODE, Task("t", "?", secret, {}), cheat).solved
    assert grade(sandbox, ROOT_NODE, Task("t", "?", secret, {}), "def f(): return [1, 1]").solved


STUB = 'def helper(x):\n    return x + 1\n\n\ndef f(x):\n    """Twice the next."""\n'
CHECK = """
def check(candidate):
    assert True
    for x in range(3):
        assert candidate(x) == 2 * helper(x), "first"
    y = candidate(10)
    assert y == 22
    try:
        assert candidate(None)
    except TypeError:
        pass
"""


@pytest.mark.parametrize(
    ("code", "passed", "solved"),
    [
        ("    return 2 * helper(x)\n", 2, True),
        ("def f(x):\n    return 2 * (x + 1)\n", 2, True),
        ("def f(x):\n    return 2 * x + (x == 10) * 2 + (x == 0) * 2\n", 1, False),
        ("def f(x):\n    return {0: 2, 1: 4, 2: 6}[x]\n", 1, False),
        ("def helper(x):\n    return 0\ndef f(x):\n    return 0\n", 0, False),
        ("def f(x):\n    return 0 if x is None else 2 * x + 2\n", 1, False),
        ("from __future__ import annotations\ndef f(x):\n    return 2 * (x + 1)\n", 2, True),
        ("pass", 0, False),
    ],
)
def test_humaneval_counts_the_assertions_of_check(
    sandbox: BranchingSandbox, code: str, passed: int, solved: bool
) -> None:
    given = Task("t", STUB, {"check": CHECK}, {"stub": STUB, "entry_point": "f"})
    assert grade(sandbox, ROOT_NODE, given, code) == Verdict(passed, 2, solved)


def test_a_check_without_assertions_is_one_test() -> None:
    assert marked("def check(f):\n    f()\n")[1] == 1


def test_a_judge_sees_only_what_it_should(sandbox: BranchingSandbox) -> None:
    """The agent's names are clean, and what our prelude needs is not among them."""
    seen = sandbox.step(ROOT_NODE, "names", "sorted(globals())")
    assert seen.value == "['__builtins__', '__name__']"
    assert sandbox.files("names") == ()
    sandbox.drop("names")


@pytest.mark.parametrize(
    ("given", "right", "same"),
    [
        ("18", "18", True),
        ("$18.00", "18", True),
        ("18 dollars", "18", True),
        ("1,234", "1234", True),
        ("1234", "1,234", True),
        ("12,34", "1234", False),
        ("50%", "50", True),
        ("-5", "5", False),
        ("\N{MINUS SIGN}5", "-5", True),
        ("- 5", "-5", True),
        ("so it is 7 m.", "7", True),
        ("#### 42", "42", True),
        ("3 + 4 = 7\n#### 7", "7", True),
        ("17 18 19", "18", False),
        ("3/4", "0.75", True),
        ("1e3", "1000", True),
        (".5", "0.5", True),
        ("0.3333333", "0.333333333", True),
        ("0.33", "0.333333333", False),
        ("18.0000001", "18", False),
        ("", "0", False),
        ("none", "0", False),
        ("1" * 500, "1", False),
        ("Olga.", "olga", True),
        ("  'Old   Pass' ", "Old Pass", True),
        ("Old", "Old Pass", False),
    ],
)
def test_values_are_compared_as_numbers(given: str, right: str, same: bool) -> None:
    assert same_answer(given, right) is same


def test_a_text_with_two_numbers_is_none() -> None:
    assert number("2 apples, 3 pears") is None

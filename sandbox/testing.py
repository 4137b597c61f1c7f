"""The contract of `sandbox.protocol` as tests, for sandboxes of your own, too.

from sandbox.fork_backend import ForkedSandbox
from sandbox.protocol import Quota
from sandbox.testing import SandboxContract

@pytest.fixture(scope="module")
def box():
    with ForkedSandbox(MyBackend, Quota()) as made:
        yield made

class TestMine(SandboxContract):
    pass

What holds beyond it, such as replay and what a kernel bounds, is in tests/sandbox/ for our own.
"""

import itertools

import pytest

from sandbox.protocol import ROOT_NODE, Sandbox, StepLimits

NAMES = itertools.count()


def new_node() -> str:
    """Return a name that no other node has."""
    return f"t{next(NAMES)}"


def grow(box: Sandbox, code: str, parent: str = ROOT_NODE) -> str:
    """Run `code` in a new node, whose name is returned."""
    node = new_node()
    result = box.step(parent, node, code)
    assert result.ok and result.exception is None, result
    return node


def see(box: Sandbox, parent: str, code: str) -> str | None:
    """Return the value of `code` in a fork of `parent`."""
    result = box.step(parent, new_node(), code)
    assert result.ok and result.exception is None, result
    return result.value


class SandboxContract:
    """Tests of a fixture `box`, a `sandbox.protocol.Sandbox` that several of them share."""

    def test_value_output_and_traceback_come_back(self, box: Sandbox) -> None:
        """Standard output and error come in their order, a traceback without the sandbox's own."""
        code = "import sys\nprint('a')\nprint('b', file=sys.stderr, flush=True)\n6*7"
        found = box.step(ROOT_NODE, new_node(), code.replace("'a'", "'a', flush=True"))
        assert (found.output, found.value, found.exception) == ("a\nb\n", "42", None)
        found = box.step(ROOT_NODE, new_node(), "def f():\n    return 1 / 0\nf()")
        assert found.ok and found.exception is not None
        assert found.exception.splitlines()[0] == "Traceback (most recent call last):"
        assert found.exception.endswith("ZeroDivisionError: division by zero\n")
        assert found.exception.count('  File "') == 2
        broken = box.step(ROOT_NODE, new_node(), "x = (")
        assert broken.ok and broken.exception and "was never closed" in broken.exception

    def test_variables_modules_and_files_belong_to_the_node(self, box: Sandbox) -> None:
        """A branch begins with all of its parent's, and changes nothing there nor beside it."""
        start = grow(
            box, "import os, random; random.seed(5); x = [1]; open('f', 'w').write('start')"
        )
        left = grow(box, "x.append(2); open('f', 'w').write('left'); import json", start)
        right = grow(box, "x.append(3); os.remove('f'); os.mkdir('d'); os.chdir('d')", start)
        look = (
            "x, os.path.exists('f') and open('f').read(), 'json' in globals(),"
            " os.path.basename(os.getcwd()) == 'd'"
        )
        assert see(box, start, look) == "([1], 'start', False, False)"
        assert see(box, left, look) == "([1, 2], 'left', True, False)"
        assert see(box, right, look) == "([1, 3], False, False, True)"
        assert see(box, left, "random.random()") == see(box, right, "random.random()")

    def test_going_on_in_place_costs_the_node_not_its_parent(self, box: Sandbox) -> None:
        """A node without children goes on under its name; others cannot."""
        start = grow(box, "x = 1; open('f', 'w').write('1')")
        node = grow(box, "x += 1", start)
        for expected in ("3", "4"):
            code = "x += 1; open('f', 'a').write('1'); x"
            assert box.step(node, node, code).value == expected
        assert (see(box, start, "x"), see(box, node, "x, open('f').read()")) == ("1", "(4, '111')")
        with pytest.raises(ValueError, match="has children"):
            box.step(node, node, "x")
        with pytest.raises(ValueError, match="is the root"):
            box.step(ROOT_NODE, ROOT_NODE, "x")
        with pytest.raises(ValueError, match=r"a node .* already"):
            box.step(start, node, "x")
        with pytest.raises(KeyError):
            box.step("nowhere", "somewhere", "x")

    @pytest.mark.parametrize(
        ("code", "why"),
        [("while True: pass", "timeout"), ("import os; os._exit(3)", "died")],
    )
    def test_a_node_that_fails_leaves_its_parent(self, box: Sandbox, code: str, why: str) -> None:
        """It exists no more; in place, it is as it was before."""
        start = grow(box, "x = 1; open('f', 'w').write('1')")
        limits, node = StepLimits(seconds=0.5), new_node()
        assert box.step(start, node, f"open('f', 'w').write('2')\n{code}", limits).why == why
        assert see(box, start, "x, open('f').read()") == "(1, '1')"
        with pytest.raises(KeyError):
            box.step(node, new_node(), "x")
        going = grow(box, "x += 1", start)
        assert box.step(going, going, "x += 1").ok
        assert box.step(going, going, code, limits).why == why
        assert see(box, going, "x, open('f').read()") == "(3, '1')"

    def test_output_is_cut_in_the_middle_and_counted(self, box: Sandbox) -> None:
        """Undecodable bytes are replaced."""
        code = "print('a' * 500 + 'b' * 5000 + 'c' * 499)"
        found = box.step(ROOT_NODE, new_node(), code, StepLimits(output_bytes=1000))
        assert found.truncated == 5000
        assert found.output == "a" * 500 + "\n... 5000 bytes left out ...\n" + "c" * 499 + "\n"
        odd = box.step(ROOT_NODE, new_node(), "import os; os.write(1, b'\\xff\\x00\\n'); None")
        assert odd.output == "\ufffd\x00\n"

    def test_the_judge_sees_the_files_and_nothing_else(self, box: Sandbox) -> None:
        """Nothing that the agent did to its interpreter is there, and nothing of it remains."""
        start = grow(
            box, "open('f', 'w').write('mine'); secret = 1; import builtins; builtins.open = None"
        )
        code = "'secret' in globals(), open('f').read(), open('g', 'w').write('verdict')"
        assert box.grade(start, code, prepare="seen = 1").value == "(False, 'mine', 7)"
        planted = grow(box, "for n in ('unittest', 'csv'): open(n + '.py', 'w').write('1/0')")
        assert box.grade(planted, "import csv, unittest; csv.reader.__name__").value == "'reader'"
        with pytest.raises(FileNotFoundError):
            box.get(start, "g")

    def test_files_are_listed_and_got(self, box: Sandbox) -> None:
        """Links are not followed, paths do not lead out, and what is too large is refused."""
        node = grow(box, "import os; open('big', 'wb').write(b'x' * 100); os.mkdir('e')")
        node = grow(box, "os.symlink('big', 'link'); open('e/g', 'w').write('1')", node)
        assert box.files(node) == (("big", 100), ("e/g", 1), ("link", None))
        assert box.files(node, 1) == (("big", 100),)
        assert (box.get(node, "big"), box.get(node, "e/g")) == (b"x" * 100, b"1")
        for path in ("none", "big", "../x", "/etc/passwd", "link", "e"):
            with pytest.raises(FileNotFoundError):
                box.get(node, path, max_bytes=10)

    def test_a_dropped_node_is_gone_and_its_children_live_on(self, box: Sandbox) -> None:
        """To drop a node twice, or one that was never there, is fine."""
        start = grow(box, "x = 1")
        child = grow(box, "y = 2", start)
        for node in (start, start, "never there"):
            box.drop(node)
        with pytest.raises(KeyError):
            box.step(start, new_node(), "x")
        assert see(box, child, "x, y") == "(1, 2)"
        box.drop(child)

    def test_closing_twice_is_fine_and_the_root_starts_again(self, box: Sandbox) -> None:
        """What other nodes need to come back is the backend's affair."""
        box.close()
        box.close()
        assert see(box, ROOT_NODE, "6 * 7") == "42"

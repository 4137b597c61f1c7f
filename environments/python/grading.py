"""Grade answers by hidden tests, in the sandbox.

Official semantics. HumanEval (Chen et al. 2021, arXiv:2107.03374): `check(entry_point)` runs
without an exception within 3 s, the default of its `evaluate_functional_correctness`. MBPP (Austin
et al. 2021, arXiv:2108.07732): every assertion of `test_list` holds. Its paper names no limit; the
3 s of common harnesses are too close to the 2.5 s that its own solution 123 takes, so it is 10 s
here. Limits are wall-clock times, from the moment when the answer's interpreter is ready.

Differences: after a failed test the others still run, to count them; and the answer runs in a
process of its own (`inside.grader` says what tests cannot do because of that).
"""

import ast
import builtins
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments.forked import graded as graded_in
from environments.types import Task
from sandbox.bundle import Bundle
from sandbox.protocol import Sandbox, StepLimits

FOLDER = Path(__file__).parent / "inside"
INSIDE = Bundle(
    "treegraft_inside",
    tuple(FOLDER / f"{name}.py" for name in ("value_codec", "candidate", "grader", "cells")),
)
"""What graders and tools need in the sandbox."""
SECONDS = 3.0
"""Time limit of a task that has none of its own."""
GRACE_SECONDS = 25.0
"""For the start of the answer's interpreter, which has its own limit, and for the tests' part."""
MEMORY_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """The grade of an answer.

    Attributes:
        solved: whether the answer as a whole is right.
        why: "", "timeout", "died", "memory", "flood", or "exception" (the code does not run).
    """

    passed: int
    tests: int
    solved: bool
    why: str = ""


def grade(sandbox: Sandbox, leaf: str, task: Task, code: str, most_seconds: float = 1e9) -> Verdict:
    """Run the hidden tests of `task` on `code`, beside the files of the node `leaf`.

    most_seconds: upper bound of the task's own time limit.

    Raises:
        StateLost: the files of `leaf` are gone.
    """
    spec = question(task, code)
    seconds = spec["seconds"] = min(most_seconds, spec["seconds"])
    limits = StepLimits(seconds + GRACE_SECONDS, memory_bytes=MEMORY_BYTES)
    verdict = INSIDE.call("grader.verdict", repr(json.dumps(spec)))
    reply, why = graded_in(sandbox, leaf, verdict, limits, INSIDE.call("grader.prepare"))
    tests = number_of_tests(task)
    if why:
        return Verdict(0, tests, False, why)
    passed = int(reply["passed"])
    solved = reply["whole"] is True and passed == tests
    return Verdict(passed if solved else min(passed, tests - 1), tests, solved, str(reply["why"]))


def question(task: Task, code: str) -> dict[str, Any]:
    """Return what `inside.grader.verdict` is given.

    files: to be restored.   seconds: for the answer.   sources: the answer's code, in parts.
    before: run among the tests first.   names: what of the answer's the tests may call.
    setup, tests: the tests' code.   marked: whether assertions are counted by marks.
    """
    prompt, check = task.details.get("stub", ""), task.secret.get("check", "")
    name = task.details.get("entry_point", "")
    return {
        "files": dict(task.details.get("files", {})),
        "seconds": float(task.details.get("seconds", SECONDS)),
        "sources": sources(prompt, name, code),
        "before": [prompt] if prompt else [],
        "names": names_of(task),
        "setup": [marked(check)[0]] if check else list(task.details.get("setup", ())),
        "tests": [f"check({name})"] if check else list(graded(task)),
        "marked": bool(check),
    }


def sources(stub: str, name: str, code: str) -> list[str]:
    """Return the program of an answer; one that does not define the function completes the stub."""
    if not stub:
        return [code]
    return [stub, code] if name in defined(code) else [stub + code]


def graded(task: Task) -> Sequence[str]:
    """Return the tests that decide: the hidden ones or, for MBPP, the visible ones."""
    found: Sequence[str] = task.secret.get("tests") or task.details.get("visible", ())
    return found


def number_of_tests(task: Task) -> int:
    """Return the number of tests, at least 1."""
    check = task.secret.get("check", "")
    return marked(check)[1] if check else max(1, len(graded(task)))


def names_of(task: Task) -> list[str]:
    """Return the names that the tests take from the answer; it can replace no others."""
    if task.secret.get("check"):
        return [task.details["entry_point"]]
    texts = [*task.details.get("setup", ()), *graded(task)]
    used = {name for text in texts for name in _used(text)}
    own = defined(task.secret.get("solution", ""))
    return sorted(used & own if own else used - set(dir(builtins)))


def defined(code: str) -> set[str]:
    """Return the names that `code` binds at its top level; none if it is not Python."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = set()
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign):
            names |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in statement.names}
    return names


def _used(test: str) -> set[str]:
    names = [node for node in ast.walk(ast.parse(test)) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    return {node.id for node in names} - bound - defined(test)


def marked(source: str) -> tuple[str, int]:
    """Test code whose assertions do not raise but are counted, and how many they are.

    Those within a `try`, whose failure the code may be waiting for, and those of constants are
    left as they are. Where none is left, the whole counts as one.
    """
    marker = _Marker()
    tree = ast.fix_missing_locations(marker.visit(ast.parse(source)))
    if marker.count:
        return ast.unparse(tree), marker.count
    return source + "\n__marks__.begin(0)\n__marks__.end(0, True)\n", 1


class _Marker(ast.NodeTransformer):
    def __init__(self) -> None:
        self.count = 0

    def visit_Try(self, node: ast.Try) -> ast.AST:
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.AST | list[ast.stmt]:
        if isinstance(node.test, ast.Constant):
            return node
        place = self.count
        self.count += 1
        text = (
            f"__marks__.begin({place})\n"
            f"try:\n    __marks__.end({place}, __test__)\nexcept Exception:\n    pass"
        )
        body = ast.parse(text).body
        found = next(n for n in ast.walk(body[1]) if isinstance(n, ast.Name) and n.id == "__test__")
        parent = next(
            n for n in ast.walk(body[1]) if isinstance(n, ast.Call) and n.args[-1:] == [found]
        )
        parent.args[-1] = node.test
        return body

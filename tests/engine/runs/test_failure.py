"""Failures: what is kept of an error, and how they are counted."""

import pytest

from engine.runs.failure import Failure, failed_line, without_secret
from environments import Task
from sandbox import SandboxError
from search.faults import TaskFault

TASK = Task(
    "goal-7", "Find 30 of them.", {"sql": "SELECT a\n  FROM b", "n": [4711], "id": "goal-7"}
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ValueError: SELECT a\n  FROM b;", "ValueError: [secret];"),
        (repr("SELECT a\n  FROM b"), "'[secret]'"),
        ("near SELECT a FROM b", "near [secret]"),
        ("KeyError: 4711", "KeyError: [secret]"),
        ("3 workers died that searched goal-7", "3 workers died that searched goal-7"),
    ],
)
def test_nothing_of_the_secret_is_kept(text: str, kept: str) -> None:
    assert without_secret(text, TASK) == kept


def fault(place: str, message: str = "x") -> Failure:
    return Failure.of(TASK, TaskFault(f"KeyError in {place}: {message}", kind="KeyError"))


@pytest.mark.parametrize(
    ("failures", "says"),
    [
        ([fault("a.py:1 act")], "1 task failed: KeyError in a.py:1 act"),
        (
            [fault("a.py:1 act", "x"), fault("a.py:1 act", "y")],
            "2 tasks failed: KeyError in a.py:1 act",
        ),
        (
            [fault("a.py:1 act")] * 2 + [Failure.of(TASK, SandboxError("gone"))],
            "3 tasks failed: KeyError in a.py:1 act (2); SandboxError",
        ),
        (
            [fault(f"a.py:{line} act") for line in range(4)],
            "4 tasks failed: KeyError in a.py:0 act; KeyError in a.py:1 act; "
            "KeyError in a.py:2 act; ...",
        ),
    ],
)
def test_failures_are_counted_by_their_cause(failures: list[Failure], says: str) -> None:
    assert failed_line(failures) == says

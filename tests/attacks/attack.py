"""What an attack is, and its possible outcomes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sandbox.protocol import StepLimits

if TYPE_CHECKING:
    from tests.attacks.scene import Scene

KINDS = ("docker", "bubblewrap", "landlock", "process")


class Outcome(StrEnum):
    """The outcome of an attack.

    Attributes:
        STOPPED: refused, or ended by a limit; the agent got an error.
        CONTAINED: it ran without an effect outside its own node, and nothing of it is left.
        SHARED: it reached only other branches of its own tree, which the same code had prepared.
        OPEN: it reached its goal.
        NOT_RUN: it would harm or bother the machine there.
    """

    STOPPED = "stopped"
    CONTAINED = "contained"
    SHARED = "shared"
    OPEN = "open"
    NOT_RUN = "not run"


Expected = Mapping[str, Outcome]
"""By backend."""
Reached = Callable[["Scene"], bool]
"""Whether the attack reached its goal: checked from outside, after it ran."""

STOPPED, CONTAINED, SHARED, OPEN, NOT_RUN = Outcome
QUICK = StepLimits(seconds=1.0, flood_bytes=8 << 20, memory_bytes=128 << 20)
"""Limits of one step."""
HANGS = StepLimits(seconds=0.3, flood_bytes=8 << 20, memory_bytes=128 << 20)
"""Limits of a step that will run out of time."""


def expect(
    docker: Outcome,
    bubblewrap: Outcome | None = None,
    landlock: Outcome | None = None,
    process: Outcome | None = None,
) -> Expected:
    """Return outcomes by backend; one that is not given equals the one before it."""
    found: dict[str, Outcome] = {}
    last = docker
    for kind, given in zip(KINDS, (docker, bubblewrap, landlock, process), strict=True):
        last = found[kind] = given or last
    return found


def nowhere(_: "Scene") -> bool:
    """Return False, for attacks on the sandbox itself: checks after every attack cover them."""
    return False


@dataclass(frozen=True, slots=True)
class Attack:
    """Code that does harm.

    Attributes:
        name: unique, in a few words.
        threat: its goal.
        codes: run one after the other, each in a fork of the node before, or all in one node.
        expected: the outcome by backend.
        reached: whether it reached its goal.
        limits: of each step.
        overtime: seconds that it may take beyond its time limit.
        in_place: whether `codes` run in one node.
        within: whether it can reach only other branches of the same agent.
        ends: whether the sandbox may end by it (as a `SandboxError`); then a fresh one must answer.
    """

    name: str
    threat: str
    codes: tuple[str, ...]
    expected: Expected
    reached: Reached = nowhere
    limits: StepLimits = QUICK
    overtime: float = 4.0
    in_place: bool = False
    within: bool = False
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """SQL that does harm; as `Attack`, but run by the query worker.

    Attributes:
        name: as in `Attack`.
        threat: as in `Attack`.
        sql: the statement.
        expected: the outcome by backend.
        kinds: errors that may stop it; () if any may.
        code: Python that runs in the worker's place, as if it had taken SQLite over; "" for none.
    """

    name: str
    threat: str
    sql: str
    expected: Expected
    kinds: tuple[str, ...] = ()
    code: str = ""


class Unseen(Exception):
    """Only root can see whether an attack reached its aim."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of one attack.

    Attributes:
        outcome: what happened.
        broken: promises that were not kept, besides the outcome.
        seen: what the agent saw.
        seconds: how long it took.
        unseen: why this user cannot see what happened; "" if the outcome is known.
    """

    outcome: Outcome
    broken: tuple[str, ...] = ()
    seen: str = ""
    seconds: float = field(default=0.0, compare=False)
    unseen: str = ""

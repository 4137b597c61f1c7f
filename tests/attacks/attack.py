"""What an attack is, and what may come of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sandbox.protocol import StepLimits

if TYPE_CHECKING:
    from tests.attacks.scene import Scene

KINDS = ("docker", "bubblewrap", "landlock", "process")


class Outcome(StrEnum):
    """STOPPED: refused, or ended by a limit; the agent got an error.

    CONTAINED: it ran, to no effect outside its own node, and nothing of it is left.
    SHARED: it reached other branches of its own tree, which the same code had prepared for it,
    and nothing else.   OPEN: it reached what it was after.   NOT_RUN: it would harm or bother the
    machine there.
    """

    STOPPED = "stopped"
    CONTAINED = "contained"
    SHARED = "shared"
    OPEN = "open"
    NOT_RUN = "not run"


Expected = Mapping[str, Outcome]
"""By backend."""
Reached = Callable[["Scene"], bool]
"""Whether the attack got what it was after: looked at from outside, after it ran."""

STOPPED, CONTAINED, SHARED, OPEN, NOT_RUN = Outcome
QUICK = StepLimits(seconds=1.0, flood_bytes=8 << 20, memory_bytes=128 << 20)
"""Of one step."""
HANGS = StepLimits(seconds=0.3, flood_bytes=8 << 20, memory_bytes=128 << 20)
"""Of a step that is bound to run out of time."""


def expect(
    docker: Outcome,
    bubblewrap: Outcome | None = None,
    landlock: Outcome | None = None,
    process: Outcome | None = None,
) -> Expected:
    """Each backend as the one before it, where it is not given."""
    found: dict[str, Outcome] = {}
    last = docker
    for kind, given in zip(KINDS, (docker, bubblewrap, landlock, process), strict=True):
        last = found[kind] = given or last
    return found


def nowhere(_: "Scene") -> bool:
    """Of attacks on the sandbox itself: the checks after every attack are made for them."""
    return False


@dataclass(frozen=True, slots=True)
class Attack:
    """Code that does harm.

    name: unique, in a few words.   threat: what it is after.
    codes: run one after the other, each in a fork of the node before; or, if `in_place`, in one
        node.   expected: the outcome by backend.
    reached: whether it got there.   overtime: seconds that it may cost beyond its time limit.
    within: whether what it reaches is only another branch of the same agent's.
    ends: whether the sandbox may end by it (as a `SandboxError`), so that a fresh one must answer.
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

    kinds: of the errors that may stop it; () where any may.
    """

    name: str
    threat: str
    sql: str
    expected: Expected
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of an attack.

    broken: promises that were not kept, beside the outcome.   told: what the agent saw.
    """

    outcome: Outcome
    broken: tuple[str, ...] = ()
    told: str = ""
    seconds: float = field(default=0.0, compare=False)

"""States as nodes of one sandbox: the current one, and those that snapshots hold.

A state is a live Python interpreter with its files, which may run other programs. A task starts in
a fork of the untouched root, so no task sees another's state. A step forks only if the state before
it must stay, because a snapshot holds it or because it is a start state. What the sandbox evicted
is made again by replay; if that has another result, the state is lost, and the search replays the
path.
"""

import ast
import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from environments.types import Task
from sandbox.bundle import Bundle
from sandbox.check import choose, open_sandbox
from sandbox.errors import SandboxError, StateLost
from sandbox.protocol import ROOT_NODE, Quota, Result, Sandbox, StepLimits

QUOTA = Quota(memory_bytes=384 << 20)
LIMITS = StepLimits(seconds=10.0, value_chars=1 << 20, memory_bytes=256 << 20)
"""Limits of one tool call. Values are not cut inside, so that the cut can be counted."""
START_SECONDS = 60.0
START = ""
"""In place of a node's name: the start state, which needs no node until code runs in it."""
WHY = {
    "timeout": "{what} was stopped after {seconds:g} s",
    "died": "{what} {died} ({status})",
    "flood": "{what} was stopped: it wrote more than {flood} MB",
    "memory": "{what} was stopped: it took more than {memory} MB of memory",
}


@dataclass(frozen=True, slots=True)
class Saved:
    """A state that a snapshot holds; `node` is its name, or START."""

    node: str


class ForkedNodes:
    """The current state and the kept earlier ones, as nodes of one sandbox for many tasks."""

    def __init__(
        self, kind: str, limits: StepLimits, inside: Bundle, start_code: Callable[[Task], str]
    ) -> None:
        """Prepare; the sandbox of this `kind` starts on first use.

        Args:
            limits: of one call of `run` or `look`.
            inside: modules that the root imports.
            start_code: see `ForkedEnv.start_code`.
        """
        self._kind, self._limits = kind, limits
        self._inside, self._start_code = inside, start_code
        self._made: Sandbox | None = None
        self._names = itertools.count(1)
        self._held: Counter[str] = Counter()
        self._branched: set[str] = set()
        """States that have or had children: they cannot go on in place."""
        self._current = START
        self._task: Task | None = None
        self._start = ""

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox; started on first use."""
        if self._made is None:
            self._made = open_sandbox(choose(self._kind).backend, QUOTA, self._inside.code())
        return self._made

    def begin(self, task: Task) -> None:
        """Go to the start of `task`."""
        self._go(START)
        if task is not self._task:
            self._drop(self._start)
            self._start, self._task = "", task

    def here(self) -> str:
        """Return a node in the current state, for calls that do not change it."""
        assert self._task is not None
        return self._current or self.start_of(self._task)

    def run(self, code: str) -> Result:
        """Run code in the current state; if it ends normally, the state after it becomes current.

        Raises:
            StateLost: the current state is gone.
        """
        parent = self.here()
        held = self._current == START or self._held[self._current] > 0
        if not held and self._current not in self._branched:
            return _there(self.sandbox.step(parent, parent, code, self._limits))
        node = f"state-{next(self._names)}"
        result = _there(self.sandbox.step(parent, node, code, self._limits))
        if result.ok:
            self._branched.add(self._current)
            self._go(node)
        return result

    def look(self, code: str, node: str = "", limits: StepLimits | None = None) -> Result:
        """Run code in a fork of `node` (by default of the current state), and drop the fork."""
        parent, name = node or self.here(), f"look-{next(self._names)}"
        try:
            return _there(self.sandbox.step(parent, name, code, limits or self._limits))
        finally:
            self.sandbox.drop(name)

    def files(self, most: int) -> tuple[tuple[str, int | None], ...]:
        """Return the first `most` of the current files, by path; see `Sandbox.files`."""
        return self.sandbox.files(self.here(), most)

    def read(self, path: str, most: int) -> bytes:
        """Read a file; raise FileNotFoundError if it is missing or larger than `most` bytes."""
        return self.sandbox.get(self.here(), path, most)

    def save(self) -> Saved:
        """Keep the current state; see `ToolEnv.save`."""
        self._held[self._current] += 1
        return Saved(self._current)

    def load(self, saved: Saved) -> None:
        """Return to a saved state; see `ToolEnv.load`."""
        self._go(saved.node)

    def free(self, saved: Saved) -> None:
        """Drop a saved state; see `ToolEnv.free`."""
        self._held[saved.node] -= 1
        if not self._held[saved.node]:
            del self._held[saved.node]
            if saved.node != self._current:
                self._drop(saved.node)

    def close(self) -> None:
        """End the sandbox; held states can be restored only by replay."""
        if self._made is not None:
            self._made.close()

    def start_of(self, task: Task) -> str:
        """Return the node in which `task` starts: the root, if nothing has to be set up.

        Raises:
            SandboxError: the task cannot be set up.
        """
        code = self._start_code(task)
        if not code:
            return ROOT_NODE
        if task is self._task and self._start:
            return self._start
        name, limits = f"start-{next(self._names)}", StepLimits(seconds=START_SECONDS)
        result = _there(self.sandbox.step(ROOT_NODE, name, code, limits))
        if result.why or result.exception or result.value != "''":
            self.sandbox.drop(name)
            said = ast.literal_eval(result.value) if result.value else result.exception or ""
            raise SandboxError(
                f"{task.id} cannot be set up: {result.why or str(said).strip()[-300:]}"
            )
        if task is self._task:
            self._start = name
        return name

    def done_with(self, start: str) -> None:
        """Drop a node of `start_of`, unless it is the current task's."""
        if start not in (ROOT_NODE, self._start):
            self.sandbox.drop(start)

    def _go(self, node: str) -> None:
        left, self._current = self._current, node
        if left != node and not self._held[left]:
            self._drop(left)

    def _drop(self, node: str) -> None:
        self._branched.discard(node)
        if node != START and self._made is not None:
            self._made.drop(node)


def graded(
    sandbox: Sandbox, node: str, code: str, limits: StepLimits, prepare: str = ""
) -> tuple[Any, str]:
    """Run a grader of ours beside the files of `node`; see `Sandbox.grade`.

    Returns:
        What it returned (it returns JSON), and "" or why it was stopped.

    Raises:
        StateLost: the files are gone.
        SandboxError: the grader failed.
    """
    result = sandbox.grade(node, code, limits, prepare)
    if result.why == "lost":
        raise StateLost("the files of the state to be judged are lost")
    return (None, result.why) if result.why else (returned(result, "the grader failed"), "")


def returned(result: Result, trouble: str) -> Any:
    """Return what a function of ours returned, as JSON, that ran to its end.

    Raises:
        SandboxError: it raised an exception; the message begins with `trouble`.
    """
    if result.exception is not None or result.value is None:
        raise SandboxError(f"{trouble}: {(result.exception or '').strip()[-300:]}")
    return json.loads(ast.literal_eval(result.value))


def why_stopped(result: Result, limits: StepLimits, what: str, died: str = "died") -> str:
    """Say why code was stopped, without its output, which varies by run."""
    return WHY[result.why].format(
        what=what,
        died=died,
        seconds=limits.seconds,
        status=result.status or "killed",
        flood=limits.flood_bytes >> 20,
        memory=limits.memory_bytes >> 20,
    )


def _there(result: Result) -> Result:
    if result.why == "lost":
        raise StateLost(result.output)
    return result

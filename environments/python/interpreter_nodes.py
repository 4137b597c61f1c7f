"""The states of an interpreter that the agent works in, as nodes of one sandbox for many tasks.

A task starts in a fork of the untouched root, so no task sees another's state. A step forks only if
the state before it must stay, because a snapshot holds it or because it is a start state.
"""

import itertools
from collections import Counter
from dataclasses import dataclass

from environments.python.bootstrap import call, prelude
from environments.types import Task
from sandbox.branching import BranchingSandbox
from sandbox.check import choose
from sandbox.errors import SandboxError, StateLost
from sandbox.protocol import ROOT_NODE, Quota, Result, StepLimits

QUOTA = Quota(memory_bytes=384 << 20)
LIMITS = StepLimits(seconds=10.0, value_chars=1 << 20, memory_bytes=256 << 20)
"""Limits of one tool call. Values are not cut inside, so that the cut can be counted."""
START = ""
"""In place of a node's name: the start state, which needs no node until code runs in it."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A state that a snapshot holds; `node` is its name, or START."""

    node: str


class InterpreterNodes:
    """The agent's current state and the kept earlier ones; `limits` hold per tool call."""

    def __init__(self, kind: str, limits: StepLimits = LIMITS) -> None:
        self._kind, self._limits = kind, limits
        self._made: BranchingSandbox | None = None
        self._names = itertools.count(1)
        self._held: Counter[str] = Counter()
        self._branched: set[str] = set()
        """States that have or had children: they cannot go on in place."""
        self._current = START
        self._task: Task | None = None
        self._start = ""

    @property
    def sandbox(self) -> BranchingSandbox:
        """The sandbox; started on first use."""
        if self._made is None:
            self._made = BranchingSandbox(choose(self._kind).backend, QUOTA, prelude())
        return self._made

    def begin(self, task: Task) -> None:
        """Go to the start of `task`."""
        self._go(START)
        if task is not self._task:
            self._drop_start()
            self._task = task

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
            return self._checked(self.sandbox.step(parent, parent, code, self._limits))
        node = f"state-{next(self._names)}"
        result = self._checked(self.sandbox.step(parent, node, code, self._limits))
        if result.ok:
            self._branched.add(self._current)
            self._go(node)
        return result

    def look(self, code: str, node: str = "", limits: StepLimits | None = None) -> Result:
        """Run code in a fork of `node` (by default of the current state), and drop the fork."""
        parent, name = node or self.here(), f"look-{next(self._names)}"
        try:
            return self._checked(self.sandbox.step(parent, name, code, limits or self._limits))
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
        """Return the node in which `task` starts: the root, unless it has files or needs packages.

        Raises:
            SandboxError: the sandbox lacks a package that the task needs.
        """
        files, packages = task.details.get("files", {}), task.details.get("packages", [])
        if not files and not packages:
            return ROOT_NODE
        if task is self._task and self._start:
            return self._start
        name = f"start-{next(self._names)}"
        arguments = f"{dict(files)!r}, {list(packages)!r}"
        result = self._checked(self.sandbox.step(ROOT_NODE, name, call("cells.prepare", arguments)))
        if result.why or result.exception or result.value != "[]":
            self.sandbox.drop(name)
            raise SandboxError(_trouble(task, result))
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

    def _drop_start(self) -> None:
        self._drop(self._start)
        self._start = ""

    @staticmethod
    def _checked(result: Result) -> Result:
        if result.why == "lost":
            raise StateLost(result.output)
        return result


def _trouble(task: Task, result: Result) -> str:
    if result.value not in (None, "[]"):
        return (
            f"{task.id} needs packages that are not in the sandbox: {result.value}; "
            "build an image with them: engine sandbox build --packages"
        )
    reason = result.why or (result.exception or "").strip().rpartition("\n")[2]
    return f"the files of {task.id} cannot be written: {reason}"

"""The states of the agent's shell and files, as nodes of one sandbox for many tasks."""

import ast
import json
from dataclasses import dataclass, replace
from typing import Any

from environments.os.bootstrap import call, prelude
from environments.python.interpreter_nodes import QUOTA, InterpreterNodes
from environments.types import Task
from sandbox.branching import BranchingSandbox
from sandbox.check import choose
from sandbox.errors import SandboxError, StateLost
from sandbox.protocol import ROOT_NODE, Result, StepLimits

LIMITS = StepLimits(seconds=10.0, value_chars=1 << 20, memory_bytes=256 << 20)
"""Limits of one command."""
START_LIMITS = replace(LIMITS, seconds=60.0)
GRADE_LIMITS = replace(LIMITS, seconds=90.0)
WHY = {
    "timeout": "the command was stopped after {seconds:g} s",
    "died": "the command ended its shell's parent ({status})",
    "flood": "the command was stopped: it wrote more than {flood} MB",
    "memory": "the command was stopped: it took more than {memory} MB of memory",
}


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ran: its exit status and its output.

    Attributes:
        why: "" or why it was stopped, and all of its effects are undone.
    """

    status: int = 0
    output: str = ""
    why: str = ""


class ShellNodes(InterpreterNodes):
    """Nodes whose interpreters run the commands of a shell."""

    def __init__(self, kind: str, limits: StepLimits = LIMITS) -> None:
        super().__init__(kind, limits)

    @property
    def sandbox(self) -> BranchingSandbox:
        """The sandbox; started on first use."""
        if self._made is None:
            self._made = BranchingSandbox(choose(self._kind).backend, QUOTA, prelude())
        return self._made

    def start_of(self, task: Task) -> str:
        """Return the node with the files of `task`.

        Raises:
            SandboxError: they cannot be written.
        """
        if task is self._task and self._start:
            return self._start
        name = f"start-{next(self._names)}"
        code = call("shell.prepare", json.dumps(dict(task.details)))
        result = self._checked(self.sandbox.step(ROOT_NODE, name, code, START_LIMITS))
        if result.why or result.exception or result.value != "''":
            self.sandbox.drop(name)
            reason = result.why or (result.exception or result.value or "").strip()[-300:]
            raise SandboxError(f"{task.id} cannot be set up: {reason}")
        if task is self._task:
            self._start = name
        return name

    def command(self, command: str) -> Ran:
        """Run a command of the agent's; if it is stopped, the state is as before."""
        return self._ran(self.run(call("shell.run", command)))

    def try_out(self, task: Task, command: str) -> Ran:
        """Run a command in the start state of `task`, and forget what it did."""
        start = self.start_of(task)
        try:
            return self._ran(self.look(call("shell.run", command), start))
        finally:
            self.done_with(start)

    def held(self, task: Task, checks: list[dict[str, Any]]) -> tuple[list[bool], str]:
        """Return which of the checks hold for the current files, and why they were stopped."""
        given = {"checks": checks, "folders": task.details.get("folders", [])}
        code = call("checks.verdict", json.dumps(given))
        result = self.sandbox.grade(self.here(), code, GRADE_LIMITS)
        if result.why == "lost":
            raise StateLost("the files of the state to be judged are lost")
        if result.why:
            return [False] * len(checks), result.why
        if result.exception is not None or result.value is None:
            raise SandboxError(f"the check failed: {(result.exception or '').strip()[-300:]}")
        found: list[bool] = json.loads(ast.literal_eval(result.value))
        return found, ""

    def _ran(self, result: Result) -> Ran:
        if not result.why and result.value is not None:
            found = json.loads(ast.literal_eval(result.value))
            return Ran(int(found["status"]), str(found["output"]))
        if not result.why:
            raise SandboxError(f"no shell: {(result.exception or '').strip()[-300:]}")
        limits = self._limits
        why = WHY[result.why].format(
            seconds=limits.seconds,
            status=result.status or "killed",
            flood=limits.flood_bytes >> 20,
            memory=limits.memory_bytes >> 20,
        )
        return Ran(why=why)

"""A student acts first, and its teacher only where it must.

This is SwiftSage (Lin et al. 2023, arXiv:2305.17390, section 3) as a policy over two policies, so
that every search can use it.

The teacher acts in a state where

- the student's reply is not a call, calls a tool the task does not have, or is still not complete
  when it was asked for again ("malformed");
- the mean log-probability of the student's tokens is below a threshold ("unsure");
- the student proposes an action that was already tried in this state ("repeat");
- an action of the student in this state led to no success ("failed"): it is not asked again;
- the student cannot be reached ("unreachable"): a task never fails because of it.

The reason is kept with each node of the teacher's. A student's reply that was not played is in the
journal, and not in the tree.

Departures from the paper, which switches to the slow mind for a plan of several actions: the
student is asked again in the next state; and the student's own log-probability takes the place of
heuristics written for one environment.
"""

import asyncio
import sys
from collections.abc import Callable, Collection
from dataclasses import replace

from engine.chat.base import EndpointUnusable
from environments.types import Action
from search.policy import BudgetSpent, Policy, PolicyError, Proposal, Request
from search.tree import STUDENT, Call
from search.usage import Usage

THRESHOLD = -0.1
"""Nats per token: e^-0.1 = 0.90 is the geometric mean of the tokens' probabilities. As measured in
docs/student-first.md, all right answers of a trained student were above it, and half of its wrong
ones."""

OVERRULED = ("malformed", "unsure", "repeat", "failed")
"""Reasons for which the teacher replaced a student that could act: such a step corrects it."""

REASONS = (*OVERRULED, "unreachable")

PAUSE = 60.0
"""Seconds before a student that did not answer is asked again."""


def _warn(message: str) -> None:
    print(message, file=sys.stderr)


class StudentFirst:
    """Asks a student first, and the teacher where it must.

    The student is asked for one action at a time, even if the search wants several: if all children
    of a state were the student's, none could be corrected.

    Args:
        threshold: Mean log-probability (nats per token) below which the student is unsure; -inf
            trusts every call that can be parsed.
        warn: Receives one message when the student cannot be reached.
    """

    def __init__(
        self,
        student: Policy,
        teacher: Policy,
        tools: Collection[str],
        threshold: float = THRESHOLD,
        warn: Callable[[str], None] = _warn,
    ) -> None:
        self.student, self.teacher = student, teacher
        self.name = f"{teacher.name}+{student.name}"
        self._tools, self._threshold, self._warn = frozenset(tools), threshold, warn
        self._warned = False
        self._unreachable_until = float("-inf")

    async def propose(self, request: Request) -> Proposal:
        """Propose the student's action, or the teacher's if there is a reason; see `Policy`."""
        if any(child.failed and child.actor == STUDENT for child in request.children):
            return replace(await self.teacher.propose(request), why="failed")
        first = await self._ask_student(request)
        if first is None:
            return replace(await self.teacher.propose(request), why="unreachable")
        action, logprob = first.actions[0], first.logprobs[0] if first.logprobs else None
        why = self._objection(action, logprob, request)
        if not why:
            return first
        spent = sum((call.usage for call in first.calls), Usage())
        if not request.affords(spent):
            return replace(first, actions=())
        rest = replace(request, affords=lambda more: request.affords(spent + more))
        try:
            second = await self.teacher.propose(rest)
        except BudgetSpent as error:
            raise BudgetSpent(str(error), first.calls + error.calls) from error
        return replace(second, calls=first.calls + second.calls, why=why)

    async def _ask_student(self, request: Request) -> Proposal | None:
        """Return what the student proposes; None if it cannot be reached."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._unreachable_until:
            return None
        try:
            proposal = await self.student.propose(replace(request, count=1))
        except BudgetSpent as error:
            raise BudgetSpent(str(error), _of_student(error.calls)) from error
        except PolicyError as error:
            if isinstance(error, EndpointUnusable) and not error.used_up:
                raise  # it is there, and refuses every request: the user can mend that
            if error.used_up:  # otherwise it is there, and refuses only this request
                self._unreachable_until = loop.time() + PAUSE
            if not self._warned:
                self._warn(f"the student cannot be reached; the teacher acts for it: {error}")
            self._warned = True
            return None
        return replace(proposal, calls=_of_student(proposal.calls), actor=STUDENT)

    def _objection(self, action: Action, logprob: float | None, request: Request) -> str:
        """Return the reason for the teacher to act instead, or ""."""
        own = request.task.tools
        known = self._tools if own is None else {tool.name for tool in own}
        if action.error or action.tool not in known:
            return "malformed"
        if action.key in {step.action.key for step in request.tried}:
            return "repeat"
        trusting = self._threshold == float("-inf")
        if not trusting and (logprob is None or logprob < self._threshold):
            return "unsure"
        return ""


def _of_student(calls: tuple[Call, ...]) -> tuple[Call, ...]:
    return tuple(replace(call, kind="student") for call in calls)

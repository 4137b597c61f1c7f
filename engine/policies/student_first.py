"""A student that acts first, and its teacher only where it must: SwiftSage (Lin et al. 2023,
arXiv:2305.17390, section 3), as a policy over two policies, so that every search takes it.

The teacher acts in a state where

- the student's reply is no call, or calls what is no tool of the task ("malformed");
- the mean log-probability of its tokens is under a threshold ("unsure");
- it proposes what was tried in this state already ("repeat"; only where the search says what was);
- an action of the student's in this state led to no success ("failed"): it is not asked again;
- the student cannot be had ("unreachable"): a task never fails for it.

The word is kept with each node of the teacher's. What the student said and was not played is in
the journal, and no part of the tree.

Departures from the paper, which switches to the slow mind for a plan of several actions: the
student is asked again in the next state; and instead of heuristics of one environment, doubt is
the student's own log-probability.
"""

import asyncio
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from environments.types import Step, Task
from search.policy import Policy, PolicyError, Proposal
from search.tree import STUDENT

THRESHOLD = -0.1
"""Nats a token: e^-0.1 = 0.90 is the geometric mean of the tokens' probabilities. As measured in
docs/swift.md: over it were all right answers of a trained student, and half of its wrong ones."""

OVERRULED = ("malformed", "unsure", "repeat", "failed")
"""Why the teacher acts where the student had its chance: such a step corrects it."""

WHY = (*OVERRULED, "unreachable")

PAUSE = 60.0
"""Seconds for which a student that did not answer is left alone."""


def _to_stderr(words: str) -> None:
    print(words, file=sys.stderr)


class StudentFirst:
    """Proposes by asking `student`, and `teacher` where it must.

    tools: names of the tools of the task.   threshold: nats a token; -inf trusts every call that
        can be read.   say: is told once when the student cannot be had.

    The student is asked for one action at a time, also where a search wants several: were all
    children of a state the student's, none could be corrected.
    """

    def __init__(
        self,
        student: Policy,
        teacher: Policy,
        tools: Collection[str],
        threshold: float = THRESHOLD,
        say: Callable[[str], None] = _to_stderr,
    ) -> None:
        self.student, self.teacher = student, teacher
        self.name = f"{teacher.name}+{student.name}"
        self._tools, self._threshold, self._say = frozenset(tools), threshold, say
        self._said = False
        self._away_until = float("-inf")

    async def propose(
        self,
        task: Task,
        path: Sequence[Step],
        *,
        tried: Sequence[Step],
        count: int,
        attempt: int,
        lessons: Sequence[str] = (),
    ) -> Proposal:
        """See `search.Policy`."""
        asked: dict[str, Any] = {"tried": tried, "attempt": attempt}
        asked |= {"lessons": lessons} if lessons else {}
        first = await self._first(task, path, asked)
        why = self._doubt(first, tried) if first else "unreachable"
        if first and not why:
            return first
        teacher = _Correcting(self.teacher, why)
        if first:
            return replace(first, actions=(), passed_to=teacher)
        return await teacher.propose(task, path, count=count, **asked)

    def after(self, failed: Collection[str]) -> Policy:
        """See `search.policy.Shared`."""
        return _Correcting(self.teacher, "failed") if STUDENT in failed else self

    async def _first(
        self, task: Task, path: Sequence[Step], asked: dict[str, Any]
    ) -> Proposal | None:
        """What the student proposes; None where it cannot be had."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            return None
        try:
            proposal = await self.student.propose(task, path, count=1, **asked)
        except PolicyError as error:
            if error.used_up:  # else it is there, and refuses this request only
                self._away_until = loop.time() + PAUSE
            if not self._said:
                self._say(f"the student cannot be had, and the teacher acts for it: {error}")
            self._said = True
            return None
        return replace(proposal, actor=STUDENT)

    def _doubt(self, proposal: Proposal, tried: Sequence[Step]) -> str:
        """Why the teacher must act instead, in one word; "" where it need not."""
        action = proposal.actions[0]
        if action.error or action.tool not in self._tools:
            return "malformed"
        if action.key in {step.action.key for step in tried}:
            return "repeat"
        sure = proposal.logprobs[0] if proposal.logprobs else None
        if self._threshold > float("-inf") and (sure is None or sure < self._threshold):
            return "unsure"
        return ""


@dataclass(frozen=True, slots=True)
class _Correcting:
    """The teacher, in a state that is not the student's.   why: see `Node`."""

    teacher: Policy
    why: str

    @property
    def name(self) -> str:
        return self.teacher.name

    async def propose(self, task: Task, path: Sequence[Step], **asked: Any) -> Proposal:
        """See `search.Policy`."""
        return replace(await self.teacher.propose(task, path, **asked), why=self.why)

"""The two moves that every search is made of: ask the policy, take an action.

A walk owns one environment, one tree and the snapshots of its open states. Environments are
synchronous, so each move runs in a thread, but for those of an environment that is instant: there
the way to a thread and back would take longer than the move.

A snapshot may cost a fork or a copy, so a state is saved when it is left, and only if something
may still be played in it: a chain saves nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from environments.base import Snapshot, ToolEnv
from environments.types import Action, Step, Task
from sandbox.errors import SandboxError, StateLost
from search.limits import Limits
from search.policy import BudgetSpent, Judgement, Policy, Proposal, Shared
from search.tree import ROOT, STUDENT, Call, Kind, Node, Tree

T = TypeVar("T")


async def in_thread(call: Callable[..., T], *args: Any) -> T:
    """Run a synchronous call in a thread; when cancelled, let it end before going on.

    An environment has one owner at a time: it must not be closed while a thread is in it.
    """
    job = asyncio.ensure_future(asyncio.to_thread(call, *args))
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        await asyncio.wait([job])
        if not job.cancelled():
            job.exception()  # seen: nobody waits for it any more
        raise


@dataclass(frozen=True, slots=True)
class Draw:
    """An action that was proposed, and the index of the request in `Tree.calls` (or -1).

    actor, why: see `Node`.
    """

    action: Action
    call: int
    actor: str = ""
    why: str = ""


class Walk:
    """One task's search under way. Made by `walking`.

    lessons: what every later proposal is told; see `Policy.propose`.
    """

    def __init__(self, env: ToolEnv, tree: Tree, policy: Policy, limits: Limits) -> None:
        self.env, self.tree, self.policy, self.limits = env, tree, policy, limits
        self.lessons: list[str] = []
        # Kept as the tree grows: a search asks for them at every turn.
        self._won, self._used = len(tree.winners()), tree.usage
        self._shared = policy if isinstance(policy, Shared) else None
        self._saved: dict[int, Snapshot] = {}
        self._done: set[int] = set()  # states in which nothing will be played again
        self._here = ROOT

    @property
    def solved(self) -> bool:
        """Whether the tree has as many successful paths as were wanted."""
        return self._won >= self.limits.solved

    @property
    def affordable(self) -> bool:
        """Whether another request may be made; where not, `tree.stopped` says why."""
        if not self.tree.stopped:
            self.tree.stopped = self.limits.exceeded(self._used)
        return not self.tree.stopped

    async def ask(
        self, at: int, *, tried: Sequence[Step] = (), count: int = 1, attempt: int = 0
    ) -> tuple[Draw, ...]:
        """Ask the policy what to do in state `at`; nothing where no more can be paid."""
        asked: dict[str, Any] = {"tried": tried, "count": count, "attempt": attempt}
        if self.lessons:
            asked["lessons"] = tuple(self.lessons)
        policy = self.policy
        if self._shared is not None:
            policy = self._shared.after(self.tree.failed_actors(at))
        proposal = await self._proposal(at, policy, asked)
        while proposal and proposal.passed_to:
            if not self.affordable:
                return ()
            proposal = await self._proposal(at, proposal.passed_to, asked)
        if proposal is None:
            return ()
        call = len(self.tree.calls) - 1 if proposal.usage.calls else -1
        who = (proposal.actor, proposal.why)
        return tuple(Draw(action, call, *who) for action in proposal.actions)

    async def _proposal(self, at: int, policy: Policy, asked: dict[str, Any]) -> Proposal | None:
        """What `policy` proposes, booked; None where the run's budget is spent."""
        try:
            proposal = await policy.propose(self.tree.task, self.tree.path(at), **asked)
        except BudgetSpent:
            self.tree.stopped = "budget"
            return None
        kind: Kind = "student" if proposal.actor == STUDENT else "propose"
        self._book(Call(at, proposal.request, proposal.usage, kind))
        return proposal

    async def consult(
        self, kind: Kind, at: int, ask: Callable[[], Awaitable[Judgement[T]]]
    ) -> T | None:
        """What a judge says about state `at`; None where another request cannot be paid."""
        if not self.affordable:
            return None
        try:
            judgement = await ask()
        except BudgetSpent:
            self.tree.stopped = "budget"
            return None
        self._book(Call(at, judgement.request, judgement.usage, kind))
        return judgement.result

    async def take(self, at: int, draw: Draw, *, last: bool = False) -> Node:
        """Play what was drawn in state `at`, and add what came of it as a child of `at`.

        last: nothing more will be played in `at`, so that it need not be saved.
        """
        step = await self._moved(self._play, at, draw.action, last)
        self._won += step.solved
        return self.tree.add(at, step, draw.call, draw.actor, draw.why)

    async def close(self, at: int, reason: str = "") -> None:
        """Expand `at` no more: free its snapshot, and note an early end in the tree."""
        if reason:
            self.tree.closed[at] = reason
        self._done.add(at)
        if at in self._saved:
            await self._moved(self._release, at)

    async def _moved(self, move: Callable[..., T], *args: Any) -> T:
        """What a move of the environment brings."""
        if not self.env.instant:
            return await in_thread(move, *args)
        await asyncio.sleep(0)  # a policy that never waits must not keep the others from moving
        return move(*args)

    def _book(self, call: Call) -> None:
        if call.usage.calls:
            self.tree.calls.append(call)
            self._used += call.usage

    def _reset(self) -> None:
        self.env.reset(options={"task": self.tree.task})

    def _play(self, at: int, action: Action, last: bool) -> Step:
        self._go_to(at)
        if last:
            self._done.add(at)
            self._release(at)
        self._leave()
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._here = len(self.tree.nodes) + 1
        deep = len(self.tree.lineage(at)) + 1 >= self.limits.depth
        if deep and not (terminated or truncated):
            truncated, info = True, {**info, "cut": "depth"}
        return Step(action, observation, float(reward), terminated, truncated, info)

    def _leave(self) -> None:
        """Save the environment's state, where something may still be played in it."""
        here = self._here
        if here in self._saved or here in self._done:
            return
        if here == ROOT or not self.tree.node(here).step.ended:
            self._saved[here] = self.env.snapshot()

    def _release(self, at: int) -> None:
        snapshot = self._saved.pop(at, None)
        if snapshot is not None:
            self.env.release(snapshot)

    def _release_all(self) -> None:
        for at in list(self._saved):
            self._release(at)

    def _go_to(self, at: int) -> None:
        """Make `at` the environment's state; a lost snapshot is rebuilt from the path.

        Raises:
            StateLost: the path, played again, brought something else.
        """
        if self._here == at:
            return
        self._leave()
        way = self.tree.lineage(at)
        begin = len(way)
        while not self._restored(way[begin - 1].id if begin else ROOT):
            begin -= 1
        for node in way[begin:]:
            observation, *_ = self.env.step(node.step.action)
            if observation != node.step.observation:
                raise StateLost(f"{self.tree.task.id}: state {node.id} cannot be rebuilt")
        if begin < len(way):
            self.tree.replayed.append(at)
        self._here = at

    def _restored(self, at: int) -> bool:
        """Whether `at` could be gone back to; the start state always can."""
        try:
            if at in self._saved:
                self.env.restore(self._saved[at])
                return True
        except StateLost:
            del self._saved[at]
        if at == ROOT:
            self._reset()
        return at == ROOT


@asynccontextmanager
async def walking(env: ToolEnv, task: Task, policy: Policy, limits: Limits) -> AsyncIterator[Walk]:
    """A search of `task` from its start state; in the end every snapshot is free and the tree is
    complete. A search that fails frees them too: its environment goes on to another task."""
    walk = Walk(env, Tree(task, policy.name), policy, limits)
    await in_thread(walk._reset)
    try:
        yield walk
    except SandboxError:
        raise  # there is nothing left to free
    except BaseException:
        await in_thread(walk._release_all)
        raise
    if walk._saved:
        await walk._moved(walk._release_all)
    if not walk.tree.stopped:
        walk.tree.stopped = "solved" if walk.solved else "exhausted"

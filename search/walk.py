"""The two moves that every search is made of: ask the policy, take an action.

A walk owns one environment, one tree and the snapshots of its open states. Environments are
synchronous, so each move runs in a thread.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from environments.base import Snapshot, ToolEnv
from environments.types import Action, Step, Task
from sandbox.errors import StateLost
from search.limits import Limits
from search.policy import BudgetSpent, Policy
from search.tree import ROOT, Call, Node, Tree

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
        raise


@dataclass(frozen=True, slots=True)
class Draw:
    """An action that was proposed, and the index of the request in `Tree.calls` (or -1)."""

    action: Action
    call: int


class Walk:
    """One task's search under way. Make it with `await Walk.begin(...)`."""

    def __init__(self, env: ToolEnv, tree: Tree, policy: Policy, limits: Limits) -> None:
        self.env, self.tree, self.policy, self.limits = env, tree, policy, limits
        self._saved: dict[int, Snapshot] = {}
        self._here = ROOT

    @classmethod
    async def begin(cls, env: ToolEnv, task: Task, policy: Policy, limits: Limits) -> "Walk":
        walk = cls(env, Tree(task, policy.name), policy, limits)
        await in_thread(walk._reset)
        return walk

    @property
    def solved(self) -> bool:
        """Whether the tree has as many successful paths as were wanted."""
        return len(self.tree.winners()) >= self.limits.solved

    @property
    def affordable(self) -> bool:
        """Whether another request may be made; where not, `tree.stopped` says why."""
        if not self.tree.stopped:
            self.tree.stopped = self.limits.exceeded(self.tree.usage)
        return not self.tree.stopped

    async def ask(
        self, at: int, *, tried: Sequence[Step] = (), count: int = 1, attempt: int = 0
    ) -> tuple[Draw, ...]:
        """Ask the policy what to do in state `at`; nothing where the run's budget is spent."""
        path = self.tree.path(at)
        try:
            proposal = await self.policy.propose(
                self.tree.task, path, tried=tried, count=count, attempt=attempt
            )
        except BudgetSpent:
            self.tree.stopped = "budget"
            return ()
        call = -1
        if proposal.usage.calls:
            call = len(self.tree.calls)
            self.tree.calls.append(Call(at, proposal.request, proposal.usage))
        return tuple(Draw(action, call) for action in proposal.actions)

    async def take(self, at: int, draw: Draw) -> Node:
        """Play what was drawn in state `at`, and add what came of it as a child of `at`."""
        step = await in_thread(self._play, at, draw.action)
        return self.tree.add(at, step, draw.call)

    async def close(self, at: int, reason: str = "") -> None:
        """Expand `at` no more: free its snapshot, and note an early end in the tree."""
        if reason:
            self.tree.closed[at] = reason
        snapshot = self._saved.pop(at, None)
        if snapshot is not None:
            await in_thread(self.env.release, snapshot)

    async def end(self) -> Tree:
        """Free every snapshot; the tree is complete."""
        for at in list(self._saved):
            await self.close(at)
        if not self.tree.stopped:
            self.tree.stopped = "solved" if self.solved else "exhausted"
        return self.tree

    def _reset(self) -> None:
        self.env.reset(options={"task": self.tree.task})
        self._saved[ROOT] = self.env.snapshot()

    def _play(self, at: int, action: Action) -> Step:
        if self._here != at:
            self._go_to(at)
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._here = len(self.tree.nodes) + 1
        if not (terminated or truncated):
            if len(self.tree.lineage(at)) + 1 >= self.limits.depth:
                truncated, info = True, {**info, "cut": "depth"}
            else:
                self._saved[self._here] = self.env.snapshot()
        return Step(action, observation, float(reward), terminated, truncated, info)

    def _go_to(self, at: int) -> None:
        """Make `at` the environment's state; a lost snapshot is rebuilt from the path.

        Raises:
            StateLost: the path, played again, brought something else.
        """
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
            self._saved[at] = self.env.snapshot()

    def _restored(self, at: int) -> bool:
        """Whether `at` could be gone back to; the start state always can."""
        try:
            if at in self._saved:
                self.env.restore(self._saved[at])
                return True
        except StateLost:
            del self._saved[at]
        if at == ROOT:
            self.env.reset(options={"task": self.tree.task})
        return at == ROOT

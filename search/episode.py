"""One task's search under way: ask the policy, take an action, save and restore states.

Every search is made of these moves. An episode owns one environment, one tree and the snapshots of
its open states. Its moves are coroutines: those of an asynchronous environment wait on the event
loop. Those of a synchronous one never wait. They run in a thread, unless the environment is
instant: there the hand-over to a thread would take longer than the move.

A snapshot may cost a fork or a copy, so a state is saved when it is left, and only if something may
still be played in it: a chain saves nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from environments.base import Snapshot, ToolEnv, at_once
from environments.types import Action, Step, Task
from sandbox.errors import SandboxError, StateLost
from search.budget import TaskBudget
from search.env_calls import in_thread, on_loop
from search.faults import TaskFault, blamed, faults_blamed
from search.policy import (
    MAX_AGAIN,
    BudgetSpent,
    Child,
    Grader,
    Judge,
    Judgement,
    Policy,
    Request,
)
from search.tree import ROOT, Call, Kind, Node, Tree

T = TypeVar("T")


class Bounds(Protocol):
    """What an episode reads of a search's options; see `search.base.Search`."""

    @property
    def width(self) -> int:
        """Children per state."""

    @property
    def depth(self) -> int:
        """Steps per path."""

    @property
    def max_solutions(self) -> int:
        """Successful paths after which the search stops."""

    @property
    def retries(self) -> int:
        """Extra requests per state after duplicates."""

    @property
    def restarts(self) -> int:
        """How often the search starts anew after the agent gave up."""


@dataclass(frozen=True, slots=True)
class Draw:
    """A proposed action, not yet played.

    Attributes:
        call: Index in `Tree.calls` of the request that proposed it, or -1.
        actor: See `Node.actor`.
        why: See `Node.why`.
        attempts: See `Node.attempts`.
    """

    action: Action
    call: int
    actor: str = ""
    why: str = ""
    attempts: tuple[int, ...] = ()


class Episode:
    """One task's search under way. Made by `open_episode`.

    Attributes:
        env, tree, policy, search, budget, judge: As given to `Search.search`.
        lessons: Reflections that every later proposal sees; see `Request.lessons`.
        grader: Grades the answers that the environment cannot grade; None leaves them as they are.
    """

    def __init__(
        self,
        env: ToolEnv,
        tree: Tree,
        policy: Policy,
        search: Bounds,
        budget: TaskBudget,
        judge: Judge | None,
    ) -> None:
        self.env, self.tree, self.policy = env, tree, policy
        self.search, self.budget, self.judge = search, budget, judge
        self.lessons: list[str] = []
        self.grader: Grader | None = None
        # Kept as the tree grows, because a search reads them at every turn.
        self._won, self._used = len(tree.winners()), tree.usage
        self._saved: dict[int, Snapshot] = {}
        self._closed: set[int] = set()  # states in which nothing will be played again
        self._entering: set[int] = set()  # states of an earlier search, not yet played here
        self._here = ROOT

    @property
    def solved(self) -> bool:
        """Whether the tree has as many successful paths as were wanted."""
        return self._won >= self.search.max_solutions

    @property
    def affordable(self) -> bool:
        """Whether another request may be made; if not, `tree.stopped` says why."""
        if not self.tree.stopped:
            self.tree.stopped = self.budget.exceeded(self._used)
        return not self.tree.stopped

    @property
    def _again(self) -> int:
        """How often a request is asked again whose reply is not complete."""
        return min(MAX_AGAIN, self.search.retries)

    def adopt(self, tree: Tree) -> Tree:
        """Begin with the nodes of an earlier search of the task; return the new tree of both.

        The requests of the earlier search are not in it: it has paid for them.
        """
        nodes = [replace(node, call=-1) for node in tree.nodes]
        self.tree = Tree(self.tree.task, self.tree.source, nodes, searched=len(nodes))
        self._entering = set(range(1, len(nodes) + 1))
        return self.tree

    async def ask(
        self,
        at: int,
        *,
        differ: bool = False,
        count: int = 1,
        attempt: int = 0,
        attempts: tuple[int, ...] = (),
        answer_only: bool = False,
    ) -> tuple[Draw, ...]:
        """Ask the policy what to do in state `at`; empty if no more can be paid.

        `attempts` are the leaves of the attempts before a new one, which begins at ROOT; for the
        others see `Request`.
        """
        seen = attempts or self.tree.attempts(at)
        request = Request(
            self.tree.task,
            self.tree.path(at),
            self._children(at),
            differ,
            count,
            attempt,
            tuple(self.lessons),
            tuple(self.tree.path(leaf) for leaf in seen),
            answer_only,
            lambda spent: not self.budget.exceeded(self._used + spent),
            self._again,
        )
        try:
            with faults_blamed():
                proposal = await self.policy.propose(request)
        except BudgetSpent as error:
            self._book(at, error.calls)
            self.tree.stopped = "budget"
            return ()
        self._book(at, proposal.calls)
        call = len(self.tree.calls) - 1 if proposal.calls else -1
        if not proposal.actions:
            assert not self.affordable, "a policy proposes something, unless the budget ended"
        return tuple(
            Draw(action, call, proposal.actor, proposal.why, attempts)
            for action in proposal.actions
        )

    async def consult(
        self, kind: Kind, at: int, ask: Callable[[], Awaitable[Judgement[T]]]
    ) -> T | None:
        """Ask a judge about state `at`; None if another request cannot be paid.

        A judge whose reply is not complete is asked again.
        """
        for _ in range(1 + self._again):
            if not self.affordable:
                return None
            try:
                with faults_blamed():
                    judgement = await ask()
            except BudgetSpent:
                self.tree.stopped = "budget"
                return None
            if judgement.usage.calls:
                of_judge = judgement.request, judgement.usage, kind, judgement.incomplete
                said = str(judgement.result) if kind == "reflect" else ""
                self._book(at, (Call(at, *of_judge, said),))
            if judgement.again is None:
                break
            ask = judgement.again
        return judgement.result

    async def take(self, at: int, draw: Draw, *, last: bool = False) -> Node:
        """Play a drawn action in state `at` and add the result as a child of `at`.

        `last` says that nothing more will be played in `at`, so it need not be saved.
        """
        step = await self._graded(at, await self._move(self._play, at, draw.action, last))
        self._won += step.solved
        return self.tree.add(
            at, step, draw.call, actor=draw.actor, why=draw.why, attempts=draw.attempts
        )

    async def _graded(self, at: int, step: Step) -> Step:
        """Return `step` with the grader's reward if it is an answer that nobody has graded."""
        if self.grader is None or not (step.terminated and step.info.get("ungraded")):
            return step
        path, consult = (*self.tree.path(at), step), partial(self.consult, "grade", at)
        grade = await self.grader.grade(self.tree.task, path, consult)
        if grade is None:
            return step
        return replace(step, reward=grade.reward, info={**step.info, "grade": dict(grade.info)})

    async def close(self, at: int, reason: str = "") -> None:
        """Expand `at` no more: free its snapshot, and note an early end in the tree."""
        if reason:
            self.tree.closed[at] = reason
        self._closed.add(at)
        if at in self._saved:
            await self._move(self._release, at)

    async def end(self) -> None:
        """Free every snapshot and note why the search ended."""
        if self._saved:
            await self._move(self._release_all)
        if not self.tree.stopped:
            self.tree.stopped = "solved" if self.solved else "exhausted"

    async def start(self) -> None:
        """Put the environment into the task's start state."""
        await self._move(self._reset, may_block=True)

    async def abandon(self) -> None:
        """Free every snapshot of a search that has failed; the first error counts."""
        with suppress(TaskFault):
            await self._move(self._release_all, may_block=True)

    async def _move(
        self, move: Callable[..., Coroutine[Any, Any, T]], *args: Any, may_block: bool = False
    ) -> T:
        """Run a move of the environment.

        Raises:
            TaskFault: The environment raised what it should not, or does not return.
        """
        env = self.env
        if env.asynchronous:
            return await on_loop(move(*args), env.call_seconds)
        if may_block or not env.instant:
            return await in_thread(lambda: at_once(move(*args)), seconds=env.call_seconds)
        await asyncio.sleep(0)  # let other tasks run even if the policy never waits
        return blamed(lambda: at_once(move(*args)))

    async def _env(self, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of the environment: that of Gymnasium's name, or its coroutine."""
        if self.env.asynchronous:
            return await getattr(self.env, f"{method}_async")(*args, **options)
        return getattr(self.env, method)(*args, **options)

    async def _reset(self) -> None:
        await self._env("reset", options={"task": self.tree.task})

    async def _release_all(self) -> None:
        for at in list(self._saved):
            await self._release(at)

    def _children(self, at: int) -> tuple[Child, ...]:
        children = self.tree.children(at)
        failed = self.tree.failures(at) if children else set()
        return tuple(Child(node.step, node.actor, node.id in failed) for node in children)

    def _book(self, at: int, calls: tuple[Call, ...]) -> None:
        for call in calls:
            self.tree.calls.append(replace(call, state=at))
            self._used += call.usage

    async def _play(self, at: int, action: Action, last: bool) -> Step:
        await self._go_to(at)
        if last:
            self._closed.add(at)
            await self._release(at)
        await self._save()
        observation, reward, terminated, truncated, info = await self._env("step", action)
        self._here = len(self.tree.nodes) + 1
        deep = len(self.tree.lineage(at)) + 1 >= self.search.depth
        if deep and not (terminated or truncated):
            truncated, info = True, {**info, "cut": "depth"}
        info = {**info, **action.reply}
        return Step(action, observation, float(reward), bool(terminated), bool(truncated), info)

    async def _save(self) -> None:
        """Save the environment's state if something may still be played in it."""
        here = self._here
        if here in self._saved or here in self._closed:
            return
        if here == ROOT or not self.tree.node(here).step.ended:
            self._saved[here] = await self._env("snapshot")

    async def _release(self, at: int) -> None:
        snapshot = self._saved.pop(at, None)
        if snapshot is not None:
            await self._env("release", snapshot)

    async def _go_to(self, at: int) -> None:
        """Make `at` the environment's state; rebuild a lost snapshot by replaying its path.

        Raises:
            StateLost: The replayed path brought other observations.
        """
        if self._here == at:
            return
        await self._save()
        lineage = self.tree.lineage(at)
        begin = len(lineage)
        while not await self._restored(lineage[begin - 1].id if begin else ROOT):
            begin -= 1
        for node in lineage[begin:]:
            observation, *_ = await self._env("step", node.step.action)
            if observation != node.step.observation:
                raise StateLost(f"{self.tree.task.id}: state {node.id} cannot be rebuilt")
        if any(node.id not in self._entering for node in lineage[begin:]):
            self.tree.replayed.append(at)
        self._entering.difference_update(node.id for node in lineage[begin:])
        self._here = at

    async def _restored(self, at: int) -> bool:
        """Restore or reset to `at`; return whether that was possible."""
        try:
            if at in self._saved:
                await self._env("restore", self._saved[at])
                return True
        except StateLost:
            del self._saved[at]
        if at == ROOT:
            await self._reset()
        return at == ROOT


@asynccontextmanager
async def open_episode(
    env: ToolEnv,
    task: Task,
    policy: Policy,
    search: Bounds,
    budget: TaskBudget,
    judge: Judge | None,
) -> AsyncIterator[Episode]:
    """Start a search of `task`; at the end its tree is complete and every snapshot is free.

    A search that fails frees the snapshots too: its environment goes on to another task.
    """
    if env.asynchronous or env.instant:
        task = blamed(env.with_tools, task)
    else:  # a world may have to ask a server for its tools
        task = await in_thread(env.with_tools, task, seconds=env.call_seconds)
    episode = Episode(env, Tree(task, policy.name), policy, search, budget, judge)
    await episode.start()
    try:
        yield episode
    except (SandboxError, TaskFault):
        raise  # there is nothing left to free
    except BaseException:
        await episode.abandon()
        raise
    await episode.end()

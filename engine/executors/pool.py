"""Workers elsewhere, in other processes or on other machines: who searches what, and what is done
when one is lost. A task whose worker is lost is searched again by another."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.executors.base import Keep
from environments import Task
from search import Tree
from treegraft.errors import TreegraftError

LOSSES = 3
"""Workers that one task may take with it, before it counts as failed."""


class WorkerLost(TreegraftError):
    """The workers that searched a task died, one after another."""


class Lost(Exception):
    """A worker is no more."""


class LostBeforeStart(Lost):
    """It was no more when it was given the task, which is not to blame for that."""


class RemoteWorker(Protocol):
    """A worker, from here."""

    async def ready(self) -> TreegraftError | None:
        """Waits until it has begun; what hinders it, if anything does. Raises Lost."""

    async def search(self, task: Task) -> Tree | TreegraftError:
        """What came of `task`. Raises Lost; LostBeforeStart, if it had not begun."""


@dataclass(slots=True)
class TaskQueue:
    """The tasks that are left.  under_way: how many are being searched."""

    left: deque[Task]
    keep: Keep
    under_way: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    def of(cls, tasks: Iterator[Task], keep: Keep) -> "TaskQueue":
        return cls(deque(tasks), keep)

    async def take(self) -> Task:
        """The next task; waits where there is none, since one may be given back."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.left)
            self.under_way += 1
            return self.left.popleft()

    def record_loss(self, task: Task) -> WorkerLost | None:
        """What came of `task`, whose worker died over it; None where another is to search it."""
        self.losses[task.id] += 1
        if self.losses[task.id] < LOSSES:
            return None
        return WorkerLost(f"{LOSSES} workers died that searched {task.id}")

    async def settle(self, task: Task, found: Tree | TreegraftError | None) -> None:
        """Keep what came of `task`; None: it is given back."""
        async with self.changed:
            self.under_way -= 1
            if found is None:
                self.left.appendleft(task)
            else:
                self.keep(task, found)
            self.changed.notify_all()

    async def ended(self) -> None:
        """Waits until every task is kept."""
        async with self.changed:
            await self.changed.wait_for(lambda: not self.left and not self.under_way)


@dataclass(slots=True)
class WorkerSlot:
    """A place in the crew.  hand: who fills it, once begun; after it is lost another."""

    hire: Callable[[], RemoteWorker]
    work: TaskQueue
    concurrency: int
    hand: RemoteWorker | None = None

    async def serve(self) -> None:
        """Search tasks until cancelled.

        Raises:
            TreegraftError: a worker cannot begin: it lacks the data or a sandbox, or dies.
        """
        barren = 0
        while barren < LOSSES:
            hand = self.hire()
            barren = 0 if await _begun(hand) else barren + 1
            if not barren:
                self.hand = hand
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.concurrency):
                        group.create_task(self._slot(hand))
                self.hand = None
        raise TreegraftError(f"{LOSSES} workers in a row died when they began")

    async def _slot(self, hand: RemoteWorker) -> None:
        """Search one task after another, until the worker is lost."""
        while True:
            task, found = await self.work.take(), None
            try:
                found = await hand.search(task)
            except LostBeforeStart:
                return
            except Lost:
                found = self.work.record_loss(task)
                return
            finally:
                await self.work.settle(task, found)


async def run_pool(
    crew: list[WorkerSlot],
    work: TaskQueue,
    shutdown_workers: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Have the crew search until every task is kept; then, or when stopped, `shutdown_workers`."""
    serving = asyncio.gather(*(member.serve() for member in crew))
    ended = asyncio.ensure_future(work.ended())
    try:
        await asyncio.wait((ended, serving), return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()  # a defect, or no worker can be had
    finally:
        for job in (ended, serving):
            job.cancel()
        await asyncio.gather(ended, serving, return_exceptions=True)
        await shutdown_workers()


async def _begun(hand: RemoteWorker) -> bool:
    """Whether it has; waits where there is no room for it yet."""
    try:
        trouble = await hand.ready()
    except Lost:
        return False
    if trouble is not None:
        raise trouble
    return True

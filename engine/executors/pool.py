"""A pool of remote workers. A worker that is lost is replaced, and its tasks are searched again."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from engine.executors.base import OnResult
from engine.executors.remote_worker import Lost, LostBeforeStart, RemoteWorker
from environments import Task
from search import Tree
from treegraft.errors import TreegraftError

LOSSES = 3
"""Workers that may die over one task before the task fails."""


class WorkerLost(TreegraftError):
    """The workers that searched a task died, one after another."""


@dataclass(frozen=True, slots=True)
class PoolSize:
    """Number of workers, and of the tasks that each searches at once."""

    workers: int
    concurrency: int


async def run_pool(
    hire: Callable[[], RemoteWorker], size: PoolSize, tasks: Iterator[Task], on_result: OnResult
) -> None:
    """Search every task with remote workers; close them at the end, or when cancelled.

    Raises:
        TreegraftError: a worker cannot begin (it lacks the data or a sandbox), or dies each time.
    """
    hired: list[RemoteWorker] = []

    def start() -> RemoteWorker:
        hired.append(hire())
        return hired[-1]

    queue = TaskQueue(deque(tasks), on_result)
    slots = [WorkerSlot(start, queue, size.concurrency) for _ in range(size.workers)]
    serving = [asyncio.create_task(slot.serve()) for slot in slots]
    ended = asyncio.create_task(queue.ended())
    try:
        done, _ = await asyncio.wait((ended, *serving), return_when=asyncio.FIRST_COMPLETED)
        for slot in done - {ended}:
            slot.result()  # raises: no slot ends otherwise
    finally:
        # A slot that went on would hire another worker, which nobody would end.
        for job in (ended, *serving):
            job.cancel()
        await asyncio.gather(ended, *serving, return_exceptions=True)
        await asyncio.gather(*(worker.close() for worker in hired))


@dataclass(slots=True)
class TaskQueue:
    """The tasks that are left.

    A task that was under way in a worker that died is a suspect. It is searched again in a worker
    that searches nothing else meanwhile, so that it cannot take other tasks with it.

    Attributes:
        left: tasks that no worker has.
        suspects: those of them that a worker died over.
        under_way: how many tasks are being searched.
        losses: by task id, how many workers died over the task.
        changed: notified whenever a task is given back or gets its result.
    """

    left: deque[Task]
    on_result: OnResult
    suspects: deque[Task] = field(default_factory=deque)
    under_way: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, load: "Load") -> Task:
        """Return the next task for a worker; wait if there is none: one may be given back."""
        async with self.changed:
            await self.changed.wait_for(lambda: load.may_take(self))
            suspect = not self.left
            task = (self.suspects if suspect else self.left).popleft()
            self.under_way += 1
            load.tasks += 1
            load.alone = suspect
            return task

    def record_loss(self, task: Task, how: str) -> WorkerLost | None:
        """Count a worker that died over `task`; return the task's failure after the last one."""
        self.losses[task.id] += 1
        if self.losses[task.id] < LOSSES:
            return None
        ended = f": {how}" if how else ""
        return WorkerLost(f"{LOSSES} workers died that searched {task.id}{ended}")

    async def settle(self, task: Task, found: Tree | TreegraftError | None, load: "Load") -> None:
        """Report the result of `task`; None gives the task back."""
        async with self.changed:
            self.under_way -= 1
            load.tasks -= 1
            load.alone = False
            self.changed.notify_all()
            if found is not None:
                self.on_result(task, found)
            elif self.losses[task.id]:
                self.suspects.append(task)
            else:
                self.left.appendleft(task)

    async def ended(self) -> None:
        """Wait until every task has its result."""
        async with self.changed:
            await self.changed.wait_for(lambda: not (self.left or self.suspects or self.under_way))


@dataclass(slots=True)
class Load:
    """What one worker is at.

    Attributes:
        tasks: how many tasks it has.
        alone: whether it has a suspect, and may have no other.
    """

    tasks: int = 0
    alone: bool = False

    def may_take(self, queue: TaskQueue) -> bool:
        """Return whether the queue holds a task for it now."""
        return not self.alone and bool(queue.left or (queue.suspects and not self.tasks))


@dataclass(frozen=True, slots=True)
class WorkerSlot:
    """A place in the pool, filled by one worker after another as they are lost."""

    hire: Callable[[], RemoteWorker]
    queue: TaskQueue
    concurrency: int

    async def serve(self) -> None:
        """Search tasks until cancelled.

        Raises:
            TreegraftError: a worker cannot begin: it lacks the data or a sandbox, or dies.
        """
        failed_starts, how = 0, ""
        while failed_starts < LOSSES:
            worker = self.hire()
            try:
                trouble = await worker.ready()
            except Lost as lost:
                failed_starts, how = failed_starts + 1, str(lost)
                continue
            if trouble is not None:
                raise trouble
            failed_starts, load = 0, Load()
            async with asyncio.TaskGroup() as group:
                for _ in range(self.concurrency):
                    group.create_task(self._search(worker, load))
        ended = f": {how}" if how else ""
        raise TreegraftError(f"{LOSSES} workers in a row died when they began{ended}")

    async def _search(self, worker: RemoteWorker, load: Load) -> None:
        """Search one task after another, until the worker is lost."""
        while True:
            task, found = await self.queue.take(load), None
            try:
                found = await worker.search(task)
            except LostBeforeStart:
                return
            except Lost as lost:
                found = self.queue.record_loss(task, str(lost))
                return
            finally:
                await self.queue.settle(task, found, load)

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
    serving = asyncio.gather(*(slot.serve() for slot in slots))
    ended = asyncio.ensure_future(queue.ended())
    try:
        await asyncio.wait((ended, serving), return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()  # raises: no slot ends otherwise
    finally:
        for job in (ended, serving):
            job.cancel()
        await asyncio.gather(ended, serving, return_exceptions=True)
        await asyncio.gather(*(worker.close() for worker in hired))


@dataclass(slots=True)
class TaskQueue:
    """The tasks that are left.

    Attributes:
        left: tasks that no worker has.
        under_way: how many tasks are being searched.
        losses: by task id, how many workers died over the task.
        changed: notified whenever a task is given back or gets its result.
    """

    left: deque[Task]
    on_result: OnResult
    under_way: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self) -> Task:
        """Return the next task; wait if there is none, since one may be given back."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.left)
            self.under_way += 1
            return self.left.popleft()

    def record_loss(self, task: Task) -> WorkerLost | None:
        """Count a worker that died over `task`; return the task's failure after the last one."""
        self.losses[task.id] += 1
        if self.losses[task.id] < LOSSES:
            return None
        return WorkerLost(f"{LOSSES} workers died that searched {task.id}")

    async def settle(self, task: Task, found: Tree | TreegraftError | None) -> None:
        """Report the result of `task`; None gives the task back."""
        async with self.changed:
            self.under_way -= 1
            if found is None:
                self.left.appendleft(task)
            else:
                self.on_result(task, found)
            self.changed.notify_all()

    async def ended(self) -> None:
        """Wait until every task has its result."""
        async with self.changed:
            await self.changed.wait_for(lambda: not self.left and not self.under_way)


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
        failed_starts = 0
        while failed_starts < LOSSES:
            worker = self.hire()
            if not await _is_ready(worker):
                failed_starts += 1
                continue
            failed_starts = 0
            async with asyncio.TaskGroup() as group:
                for _ in range(self.concurrency):
                    group.create_task(self._search(worker))
        raise TreegraftError(f"{LOSSES} workers in a row died when they began")

    async def _search(self, worker: RemoteWorker) -> None:
        """Search one task after another, until the worker is lost."""
        while True:
            task, found = await self.queue.take(), None
            try:
                found = await worker.search(task)
            except LostBeforeStart:
                return
            except Lost:
                found = self.queue.record_loss(task)
                return
            finally:
                await self.queue.settle(task, found)


async def _is_ready(worker: RemoteWorker) -> bool:
    """Wait until `worker` can search; return whether it is alive."""
    try:
        trouble = await worker.ready()
    except Lost:
        return False
    if trouble is not None:
        raise trouble
    return True

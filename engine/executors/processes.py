"""Many tasks at once in several processes of this machine.

One process sends some hundreds of requests a second: the client alone costs one to two
milliseconds of a processor a request. More processes send more. Trees come back to this one, the
one writer; it holds the run's budget too. A process that dies is replaced.
"""

import asyncio
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.context import SpawnProcess
from typing import Any

from engine.chat.budget import Budget
from engine.chat.open import DRAIN_SECONDS
from engine.config import Config
from engine.executors.base import Keep
from engine.executors.pool import Lost, LostBeforeStart, TaskQueue, WorkerSlot, run_pool
from engine.executors.process_worker import WorkerSpec, main
from engine.executors.spec import ChatSpec
from environments import Task
from search import Tree
from search.policy import BudgetSpent
from treegraft.errors import TreegraftError

END_SECONDS = 10.0
"""How long a worker that has ended its work may take to go."""


class Processes:
    """workers: processes; None for one a processor.   concurrency: tasks at once, of each.
    paying: None for a teacher that asks nobody."""

    def __init__(self, workers: int | None, concurrency: int, paying: ChatSpec | None) -> None:
        self._number = workers or os.cpu_count() or 1
        self._concurrency, self._paying = concurrency, paying

    async def run(self, config: Config, tasks: Iterator[Task], keep: Keep) -> None:
        """See `Executor`."""
        paying = self._paying
        orders = WorkerSpec(config, self._concurrency)
        if paying:
            orders = replace(
                orders, journal=paying.journal, asking=paying.asking, student=paying.student
            )
        budget = paying.budget if paying else Budget()
        hired: list[_Process] = []

        def hire() -> _Process:
            hired.append(_Process(orders, budget))
            return hired[-1]

        async def shutdown_workers() -> None:
            await asyncio.gather(*(process.end() for process in hired))

        work = TaskQueue.of(tasks, keep)
        crew = [WorkerSlot(hire, work, self._concurrency) for _ in range(self._number)]
        await run_pool(crew, work, shutdown_workers)


class _Process:
    """A `RemoteWorker`.  under_way: requests that it reserved and has not settled."""

    def __init__(self, orders: WorkerSpec, budget: Budget) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._budget, self._under_way = budget, 0
        self._loop = asyncio.get_running_loop()
        self._began: asyncio.Future[TreegraftError | None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._searching: dict[str, asyncio.Future[Tree | TreegraftError]] = {}
        self._reserving: set[asyncio.Task[None]] = set()
        self._process: SpawnProcess = context.Process(target=main, args=(theirs, orders))
        self._process.start()
        theirs.close()
        self._loop.add_reader(self._line.fileno(), self._read)

    async def ready(self) -> TreegraftError | None:
        """See `RemoteWorker`."""
        return await asyncio.shield(self._began)

    async def search(self, task: Task) -> Tree | TreegraftError:
        """See `RemoteWorker`."""
        if self._ended.done():
            raise LostBeforeStart
        found: asyncio.Future[Tree | TreegraftError] = self._loop.create_future()
        self._searching[task.id] = found
        self._send("search", task)
        return await found

    async def end(self) -> None:
        """Have it keep what is paid for and close its sandboxes; kill it if it takes too long."""
        if not self._ended.done():
            self._send("stop")
            await asyncio.wait([self._ended], timeout=DRAIN_SECONDS + END_SECONDS)
        self._lost()
        await asyncio.to_thread(self._process.join, END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            await asyncio.to_thread(self._process.join)

    def _send(self, *message: Any) -> None:
        try:
            self._line.send(message)
        except OSError:
            self._lost()

    def _read(self) -> None:
        try:
            kind, *about = self._line.recv()
        except (EOFError, OSError):
            self._lost()
            return
        if kind == "ready":
            self._began.set_result(about[0])
        elif kind == "found":
            found = self._searching.pop(about[0])
            if not found.done():
                found.set_result(about[1])
        elif kind == "defect":
            _fail(self._searching.pop(about[0]), RuntimeError(about[1]))
        elif kind == "reserve":
            reserving = self._loop.create_task(self._reserve(about[0]))
            self._reserving.add(reserving)
            reserving.add_done_callback(self._reserving.discard)
        elif kind == "settle":
            self._under_way -= 1
            self._budget.settle(about[0])
        else:
            self._ended.set_result(None)

    async def _reserve(self, number: int) -> None:
        spent = ""
        try:
            await self._budget.reserve()
            self._under_way += 1
        except BudgetSpent as error:
            spent = str(error)
        self._send("reserved", number, spent)

    def _lost(self) -> None:
        """It is gone: what it had reserved is free, what it searched is for another."""
        if self._line.closed:
            return
        self._loop.remove_reader(self._line.fileno())
        self._line.close()
        for reserving in self._reserving:
            reserving.cancel()
        for _ in range(self._under_way):
            self._budget.settle(None)
        self._under_way = 0
        _fail(self._began, Lost())
        for found in self._searching.values():
            _fail(found, Lost())
        self._searching.clear()
        if not self._ended.done():
            self._ended.set_result(None)


def _fail(waited: "asyncio.Future[Any]", error: Exception) -> None:
    if not waited.done():
        waited.set_exception(error)
        waited.exception()  # seen, even if nobody waits

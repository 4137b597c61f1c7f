"""One worker process: it searches, and sends its own requests.

It opens the run's journal itself, which several processes may share; the run's budget is held by
the process that started it, and asked before each request. It ends when that process is gone.
Messages are tuples over a pipe between processes of ours: first the kind, then what it is about.
"""

import asyncio
import os
import signal
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from engine.chat.base import Chat
from engine.chat.budget import BudgetedChat
from engine.chat.endpoint import Endpoint
from engine.chat.journal import CachedChat, Journal
from engine.chat.open import DRAIN_SECONDS
from engine.config import Config
from engine.executors import base
from engine.executors.gc_pause import gc_paused
from engine.executors.spec import EndpointSpec
from environments import Task
from search.policy import BudgetSpent
from search.usage import Usage
from treegraft.errors import TreegraftError


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What a worker is told when it begins.

    journal: None where nobody is asked.   asking: None for a teacher that asks nobody.
    student: how one is reached that acts first.
    """

    config: Config
    concurrency: int
    journal: Path | None = None
    asking: EndpointSpec | None = None
    student: EndpointSpec | None = None


def main(line: Connection, orders: WorkerSpec) -> None:
    """The process's own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is told by the line
    asyncio.run(_Worker(line, orders).serve())


class _Worker:
    def __init__(self, line: Connection, orders: WorkerSpec) -> None:
        self._line, self._orders = line, orders
        self._budget = _Budget(self._send)
        self._endpoints: list[Endpoint] = []
        self._journaled: list[CachedChat] = []
        self._idle: list[base.TaskRunner] = []
        self._searching: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()

    async def serve(self) -> None:
        """Until told to stop."""
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(self._orders.concurrency + 4, thread_name_prefix="environment")
        loop.set_default_executor(pool)
        with ExitStack() as closing:
            try:
                lead = base.make_env(self._orders.config)
                closing.callback(lead.close)
                self._policy = base.policy(self._orders.config, lead, *self._chats(closing))
            except TreegraftError as error:
                self._send("ready", error)
                return
            closing.enter_context(gc_paused())
            self._send("ready", None)
            loop.add_reader(self._line.fileno(), self._read)
            await self._stopped.wait()
            await self._end()
        self._send("ended")

    def _chats(self, closing: ExitStack) -> tuple[Chat | None, Chat | None]:
        """What the teacher asks, and a student that acts first; None for who asks nobody."""
        orders = self._orders
        if orders.journal is None:
            return None, None
        journal = closing.enter_context(Journal(orders.journal))
        for asking in (orders.asking, orders.student):
            for name, value in (asking.environment if asking else {}).items():
                os.environ.setdefault(name, value)
        teacher = student = None
        if orders.asking:
            teacher = Endpoint.from_environment(
                orders.asking.base_url or None,
                price=orders.asking.price,
                concurrency=orders.concurrency,
            )
        if orders.student and orders.config.student_endpoint:
            student = orders.config.student_endpoint.endpoint(
                orders.student.price, orders.concurrency
            )
        return self._chat(teacher, journal), self._chat(student, journal)

    def _chat(self, endpoint: Endpoint | None, journal: Journal) -> Chat | None:
        if endpoint is None:
            return None
        self._endpoints.append(endpoint)
        self._journaled.append(CachedChat(BudgetedChat(endpoint, self._budget), journal))
        return self._journaled[-1]

    def _send(self, *message: Any) -> None:
        try:
            self._line.send(message)
        except OSError:
            os._exit(1)  # nobody is there any more

    def _read(self) -> None:
        try:
            kind, *about = self._line.recv()
        except (EOFError, OSError):
            os._exit(1)  # as after kill -9: the journal holds what is paid for
        if kind == "search":
            searching = asyncio.create_task(self._search(about[0]), name=about[0].id)
            self._searching.add(searching)
            searching.add_done_callback(self._searched)
        elif kind == "reserved":
            self._budget.reserved(*about)
        else:
            self._stopped.set()

    async def _search(self, task: Task) -> None:
        searcher = self._idle.pop() if self._idle else None
        searcher = searcher or base.TaskRunner(self._orders.config, self._policy)
        try:
            self._send("found", task.id, await searcher.search(task))
        finally:
            self._idle.append(searcher)

    def _searched(self, searching: asyncio.Task[None]) -> None:
        """A defect stops the run where it was begun."""
        self._searching.discard(searching)
        if not searching.cancelled() and (defect := searching.exception()):
            words = "".join(traceback.format_exception(defect))
            self._send("defect", searching.get_name(), words)

    async def _end(self) -> None:
        """Send nothing more, keep what is paid for, close the sandboxes."""
        for endpoint in self._endpoints:
            endpoint.stop()
        for searching in self._searching:
            searching.cancel()
        await asyncio.gather(*self._searching, return_exceptions=True)
        await asyncio.gather(*(each.drain(DRAIN_SECONDS) for each in self._journaled))
        for endpoint in self._endpoints:
            await endpoint.aclose()
        for searcher in self._idle:
            await searcher.close()


class _Budget:
    """The run's budget, held elsewhere; see `engine.chat.budget.Budget`."""

    def __init__(self, send: Callable[..., None]) -> None:
        self._send = send
        self._waiting: dict[int, asyncio.Future[str]] = {}
        self._number = 0

    async def reserve(self) -> None:
        self._number += 1
        number, turn = self._number, asyncio.get_running_loop().create_future()
        self._waiting[number] = turn
        self._send("reserve", number)
        spent = await turn
        if spent:
            raise BudgetSpent(spent)

    def reserved(self, number: int, spent: str) -> None:
        """The answer: what is spent, "" where nothing is."""
        turn = self._waiting.pop(number)
        if not turn.done():
            turn.set_result(spent)
        elif not spent:
            self._send("settle", None)  # who asked was cancelled

    def settle(self, usage: Usage | None) -> None:
        self._send("settle", usage)

"""A remote worker, seen from the driver: the process that began the run and writes its trees.

The worker's own side, and the messages between both, are in `worker`.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from engine.chat.budget import Budget
from engine.chat.journal import Journal
from engine.chat.journal_db import JournalError
from engine.chat.open import DRAIN_SECONDS
from engine.executors.worker import RESERVED, Message
from environments import Task
from search import Tree
from search.policy import BudgetSpent
from treegraft.errors import TreegraftError

END_SECONDS = 10.0
"""How long a worker may take to end, once it has kept the replies that it paid for."""


class Lost(Exception):
    """The worker is gone."""


class LostBeforeStart(Lost):
    """The worker was gone before it received the task, which is not to blame for that."""


class Transport(Protocol):
    """Carries messages to one worker, and back to its `RemoteWorker`."""

    def start(self, receive: Callable[[Message], None], lost: Callable[[], None]) -> None:
        """Start the worker; call `receive` with its messages, and `lost` once it is gone."""

    def send(self, message: Message) -> None:
        """Send a message; one to a worker that is gone is dropped, and `lost` is called."""

    async def close(self) -> None:
        """End the worker, if it has not ended; `lost` is called."""


class RemoteWorker:
    """Has a worker search tasks; answers its questions to the run's budget and journal.

    Args:
        journal: the run's, unless the worker opens it itself.
    """

    def __init__(self, transport: Transport, budget: Budget, journal: Journal | None) -> None:
        self._transport, self._budget, self._journal = transport, budget, journal
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[TreegraftError | None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._results: dict[str, asyncio.Future[Tree | TreegraftError]] = {}
        self._started: set[str] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._reserved = 0  # calls not settled yet
        transport.start(self._receive, self._lost)

    async def ready(self) -> TreegraftError | None:
        """Wait until the worker can search; return what keeps it from that, if anything does.

        Raises:
            Lost: it is gone.
        """
        return await asyncio.shield(self._ready)

    async def search(self, task: Task) -> Tree | TreegraftError:
        """Return the result of `task`.

        Raises:
            Lost: the worker is gone; LostBeforeStart if it did not receive the task.
        """
        if self._ended.done():
            raise LostBeforeStart
        result: asyncio.Future[Tree | TreegraftError] = asyncio.get_running_loop().create_future()
        self._results[task.id] = result
        self._transport.send(("search", task))
        return await result

    async def close(self) -> None:
        """Have the worker keep paid replies and close its sandboxes; end it if it takes long."""
        if self._ready.done() and not self._ended.done():
            self._transport.send(("stop",))
            await asyncio.wait([self._ended], timeout=DRAIN_SECONDS + END_SECONDS)
        await self._transport.close()

    def _receive(self, message: Message) -> None:
        kind, *values = message
        match kind:
            case "ready":
                self._ready.set_result(values[0])
            case "started":
                self._started.add(values[0])
            case "found":
                self._settle(values[0], values[1])
            case "defect":
                _fail(self._results.pop(values[0]), values[1])
            case "call":
                answering = asyncio.create_task(self._answer(*values))
                self._answering.add(answering)
                answering.add_done_callback(self._answering.discard)
            case "settle":
                self._reserved -= 1
                self._budget.settle(values[0])
            case "ended":
                self._ended.set_result(None)

    def _settle(self, task_id: str, found: Tree | TreegraftError) -> None:
        result = self._results.pop(task_id)
        self._started.discard(task_id)
        if not result.done():  # the search may have been cancelled
            result.set_result(found)

    async def _answer(self, number: int, method: str, arguments: tuple[Any, ...]) -> None:
        value: Any
        try:
            if method == "reserve":
                await self._budget.reserve()
                self._reserved += 1
                value = RESERVED
            else:
                assert self._journal is not None
                call = self._journal.get if method == "get" else self._journal.put
                value = await call(*arguments)
        except (BudgetSpent, JournalError) as error:
            value = error
        self._transport.send(("answer", number, value))

    def _lost(self) -> None:
        """Free what the worker had reserved, and fail the searches it had not ended."""
        for answering in self._answering:
            answering.cancel()
        for _ in range(self._reserved):
            self._budget.settle(None)
        self._reserved = 0
        _fail(self._ready, Lost())
        for task_id, result in self._results.items():
            _fail(result, Lost() if task_id in self._started else LostBeforeStart())
        self._results.clear()
        if not self._ended.done():
            self._ended.set_result(None)


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # marks it as retrieved: nobody may be waiting

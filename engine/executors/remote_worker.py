"""A remote worker, seen from the driver: the process that began the run and writes its trees.

The worker's own side, and the messages between both, are in `worker`.
"""

import asyncio
import pickle
from collections.abc import Callable
from typing import Any, Protocol

from engine.chat.budget import Budget
from engine.chat.journal import Journal
from engine.chat.journal_db import JournalError
from engine.chat.limiter import Throttle
from engine.chat.open import DRAIN_SECONDS
from engine.executors.worker import ALIVE_SECONDS, RESERVED, Message, unpacked
from environments import Task, ToolEnv
from search import Tree
from search.faults import TaskFault, blamed
from search.policy import BudgetSpent
from treegraft.errors import TreegraftError

END_SECONDS = 10.0
"""How long a worker may take to end, once it has kept the replies that it paid for."""


START_SECONDS = ToolEnv.call_seconds
"""How long a worker may take to make its environment."""


class Lost(Exception):
    """The worker is gone; the text says how it ended, if that is known."""


class LostBeforeStart(Lost):
    """The worker was gone before it received the task, which is not to blame for that."""


class Transport(Protocol):
    """Carries messages to one worker, and back to its `RemoteWorker`."""

    def start(self, receive: Callable[[Message], None], lost: Callable[[str], None]) -> None:
        """Start the worker; call `receive` with its messages, and `lost` once it is gone.

        `lost` is told how it ended, or "".
        """

    def send(self, message: Message) -> None:
        """Send a message; one to a worker that is gone is dropped, and `lost` is called."""

    def kill(self) -> None:
        """End the worker at once; `lost` is called soon."""

    async def close(self) -> None:
        """End the worker, if it has not ended; `lost` is called."""


class RemoteWorker:
    """Has a worker search tasks; answers its questions to the run's budget and journal.

    Args:
        journal: the run's, unless the worker opens it itself.

    Attributes:
        throttle: how many requests it may send at once, as it said last.
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
        self._silent = 0.0  # seconds since its last message
        self._killed = ""  # why we killed it
        self._watching: asyncio.Task[None] | None = None
        self.throttle = Throttle()
        transport.start(self._receive, self._lost)

    async def ready(self) -> TreegraftError | None:
        """Wait until the worker can search; return what keeps it from that, if anything does.

        Raises:
            Lost: it is gone.
        """
        try:
            return await asyncio.wait_for(asyncio.shield(self._ready), START_SECONDS)
        except TimeoutError:
            return TreegraftError(
                f"a worker has not made its environment within {START_SECONDS:g} s"
            )

    async def search(self, task: Task) -> Tree | TreegraftError:
        """Return the result of `task`.

        Raises:
            Lost: the worker is gone; LostBeforeStart if it did not receive the task.
        """
        if self._ended.done():
            raise LostBeforeStart
        try:
            data = blamed(pickle.dumps, task)
        except TaskFault as fault:
            words = f"the task cannot be sent to a worker; use --executor local: {fault}"
            return TaskFault(words, kind=fault.kind, place=fault.place, trace=fault.trace)
        result: asyncio.Future[Tree | TreegraftError] = asyncio.get_running_loop().create_future()
        self._results[task.id] = result
        self._transport.send(("search", task.id, data))
        return await result

    async def close(self) -> None:
        """Have the worker keep paid replies and close its sandboxes; end it if it takes long."""
        if self._watching is not None:
            self._watching.cancel()
        if self._ready.done() and not self._ended.done():
            self._transport.send(("stop",))
            await asyncio.wait([self._ended], timeout=DRAIN_SECONDS + END_SECONDS)
        await self._transport.close()

    def _receive(self, message: Message) -> None:
        kind, *values = message
        self._silent = 0.0
        match kind:
            case "ready":
                self._begin(*values)
            case "alive":
                self.throttle = values[0]
            case "started":
                self._started.add(values[0])
            case "found":
                self._settle(values[0], values[1])
            case "defect":
                _fail(self._results.pop(values[0]), unpacked(values[1]))
            case "call":
                answering = asyncio.create_task(self._answer(*values))
                self._answering.add(answering)
                answering.add_done_callback(self._answering.discard)
            case "settle":
                self._reserved -= 1
                self._budget.settle(values[0])
            case "ended":
                self._ended.set_result(None)

    def _begin(self, data: bytes, call_seconds: float) -> None:
        if self._ready.done():  # nobody waited so long
            return
        self._ready.set_result(unpacked(data))
        self._watching = asyncio.create_task(self._watch(call_seconds))

    async def _watch(self, call_seconds: float) -> None:
        """Kill the worker when its event loop stands still: an instant environment hangs in it.

        Seconds are counted, not measured: the machine may have slept.
        """
        while self._silent <= call_seconds + 2 * ALIVE_SECONDS:
            await asyncio.sleep(ALIVE_SECONDS)
            self._silent += ALIVE_SECONDS
        self._killed = f"no sign of life for {self._silent:g} s: an instant environment hangs"
        self._transport.kill()

    def _settle(self, task_id: str, data: bytes) -> None:
        found: Tree | TreegraftError
        try:
            found = unpacked(data)
        except TaskFault as fault:
            found = fault
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

    def _lost(self, how: str = "") -> None:
        """Free what the worker had reserved, and fail the searches it had not ended."""
        how, self.throttle = self._killed or how, Throttle()
        for answering in self._answering:
            answering.cancel()
        for _ in range(self._reserved):
            self._budget.settle(None)
        self._reserved = 0
        _fail(self._ready, Lost(how))
        for task_id, result in self._results.items():
            _fail(result, Lost(how) if task_id in self._started else LostBeforeStart(how))
        self._results.clear()
        if not self._ended.done():
            self._ended.set_result(None)


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # marks it as retrieved: nobody may be waiting

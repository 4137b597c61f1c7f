"""A remote worker, on its own side: it searches tasks, and sends its own requests.

It and its driver (`remote_worker`) exchange messages: tuples of a kind and its values, over a pipe
or a Ray actor. The driver holds the run's budget, which is asked before each request, and the
journal if the worker may be on another machine; otherwise the worker opens the journal's file.
What a user's code is part of (tasks, trees, errors) travels packed, so that no message is lost if
that code cannot be pickled or read back.

| to the driver | |
|---|---|
| ready, packed error, `call_seconds` | it can search (None), or why it cannot |
| alive, throttle | its event loop runs; sent every `ALIVE_SECONDS` |
| started, task id | it has received the task |
| found, task id, packed tree or error | the task's result |
| defect, task id, packed error | a bug or a broken journal, which stops the run |
| call, number, method, arguments | `reserve` of the budget; `get` or `put` of the journal |
| settle, usage or None | see `Budget.settle` |
| ended | nothing follows |

| to the worker | |
|---|---|
| search, task id, packed task | |
| answer, number, value or error | to a call |
| stop | keep what is paid for, and end |
"""

import asyncio
import itertools
import pickle
import traceback
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.chat.base import ChatReply
from engine.chat.limiter import Throttle
from engine.chat.open import ChatStack, EndpointSpec
from engine.config import Config
from engine.executors.base import TaskRunner, close_env, make_env
from engine.executors.build_policy import build_grader, build_policy
from engine.executors.gc_pause import gc_paused
from sandbox.check import choose
from search import Policy, Tree
from search.faults import TaskFault, blamed
from search.usage import Usage
from treegraft.errors import TreegraftError

Message = tuple[Any, ...]
RESERVED = "reserved"
"""The driver's answer to `reserve` while the budget lasts."""
ALIVE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What a worker needs to begin.

    Attributes:
        teacher: the teacher's endpoint; None for the demonstration teacher.
        student: the endpoint of a student that acts first; None without one.
        grader: the endpoint of the model that grades answers; None without one.
        journal: the journal's file; None if the driver holds the journal.
    """

    config: Config
    concurrency: int
    teacher: EndpointSpec | None = None
    student: EndpointSpec | None = None
    grader: EndpointSpec | None = None
    journal: Path | None = None


class Worker:
    """Searches several tasks at once, each in an environment of its own."""

    def __init__(self, spec: WorkerSpec, send: Callable[[Message], None]) -> None:
        self._spec, self._send = spec, send
        self._driver = DriverProxy(send)
        self._chats: ChatStack | None = None
        self._idle: list[TaskRunner] = []
        self._searching: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()

    async def serve(self) -> None:
        """Search the tasks that the driver sends until it says stop."""
        async with AsyncExitStack() as stack:
            try:
                seconds = await self._open(stack)
            except TreegraftError as error:
                self._send(("ready", packed(error), 0.0))
            else:
                self._send(("ready", packed(None), seconds))
                alive = asyncio.create_task(self._say_alive())
                await self._stopped.wait()
                await self._cancel()
                alive.cancel()
        self._send(("ended",))

    def receive(self, message: Message) -> None:
        """Handle a message of the driver."""
        kind, *values = message
        if kind == "search":
            searching = asyncio.create_task(self._search(*values), name=values[0])
            self._searching.add(searching)
            searching.add_done_callback(self._searched)
            self._send(("started", values[0]))
        elif kind == "answer":
            self._driver.answered(*values)
        else:
            self._stopped.set()

    async def _say_alive(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            now = self._chats.throttle() if self._chats else Throttle()
            self._send(("alive", now))

    async def _open(self, stack: AsyncExitStack) -> float:
        """Make what is needed to search; return the environment's `call_seconds`."""
        spec = self._spec
        env = make_env(spec.config)
        stack.callback(close_env, env)
        if env.sandboxed:
            await asyncio.to_thread(choose, spec.config.sandbox)
        teacher = student = grader = None
        if spec.teacher or spec.student or spec.grader:
            chats = ChatStack(spec.journal or self._driver, self._driver)
            self._chats = await stack.enter_async_context(chats)
            teacher, student, grader = (
                chats.add(each.open(spec.concurrency)) if each else None
                for each in (spec.teacher, spec.student, spec.grader)
            )
        self._policy: Policy = build_policy(spec.config, env, teacher, student)
        self._grader = build_grader(spec.config, grader)
        stack.enter_context(gc_paused())
        return env.call_seconds

    async def _search(self, task_id: str, data: bytes) -> None:
        if self._idle:
            runner = self._idle.pop()
        else:
            runner = TaskRunner(self._spec.config, self._policy, self._grader)
        try:
            found: Tree | TreegraftError = await runner.search(unpacked(data))
        except TaskFault as error:
            found = error
        finally:
            self._idle.append(runner)
        self._send(("found", task_id, packed(found)))

    def _searched(self, searching: asyncio.Task[None]) -> None:
        self._searching.discard(searching)
        if searching.cancelled():
            if not self._stopped.is_set():  # by code of the environment or the policy
                fault = TaskFault("its search was cancelled", kind="CancelledError")
                self._send(("found", searching.get_name(), packed(fault)))
        elif error := searching.exception():
            if not isinstance(error, TreegraftError):  # its traceback would be lost on the way
                error = RuntimeError("".join(traceback.format_exception(error)))
            self._send(("defect", searching.get_name(), packed(error)))

    async def _cancel(self) -> None:
        """Send no more requests, and close the environments; `ChatStack` keeps paid replies."""
        if self._chats:
            self._chats.stop()
        for searching in self._searching:
            searching.cancel()
        await asyncio.gather(*self._searching, return_exceptions=True)
        for runner in self._idle:
            await runner.close()


def packed(value: Tree | BaseException | None) -> bytes:
    """Return a result as bytes; a fault in its place if a user's class in it cannot be pickled."""
    try:
        data = blamed(pickle.dumps, value)
        if isinstance(value, BaseException):
            blamed(pickle.loads, data)
    except TaskFault:
        if isinstance(value, BaseException):
            fault = TaskFault.of(value)
        return pickle.dumps(fault)
    return data


def unpacked(data: bytes) -> Any:
    """Return what `packed` was given.

    Raises:
        TaskFault: A user's class in it cannot be read back.
    """
    return blamed(pickle.loads, data)


class DriverProxy:
    """The budget and the journal that the driver holds: `Reservations` and `ReplyStore`."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._numbers = itertools.count()
        self._calls: dict[int, asyncio.Future[Any]] = {}

    async def reserve(self) -> None:
        """See `Budget.reserve`."""
        await self._call("reserve")

    def settle(self, usage: Usage | None) -> None:
        """See `Budget.settle`."""
        self._send(("settle", usage))

    async def get(self, key: str) -> ChatReply | None:
        """See `Journal.get`."""
        kept: ChatReply | None = await self._call("get", key)
        return kept

    async def put(self, key: str, base_url: str, model: str, reply: ChatReply) -> ChatReply:
        """See `Journal.put`."""
        kept: ChatReply = await self._call("put", key, base_url, model, reply)
        return kept

    async def _call(self, method: str, *arguments: Any) -> Any:
        number = next(self._numbers)
        call = self._calls[number] = asyncio.get_running_loop().create_future()
        self._send(("call", number, method, arguments))
        return await call

    def answered(self, number: int, value: Any) -> None:
        """Return `value` from a call, or raise it if it is an error."""
        call = self._calls.pop(number)
        if call.done():  # the caller was cancelled
            if value == RESERVED:
                self.settle(None)
        elif isinstance(value, Exception):
            call.set_exception(value)
        else:
            call.set_result(value)

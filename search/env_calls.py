"""Calls of an environment's methods from the event loop.

Coroutines are awaited. Synchronous methods are called in a thread each. One that does not return in
time is given up with its thread. The threads are daemons, so that such a call keeps neither the
event loop nor the process from ending.
"""

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from search.faults import CallHangs, blamed, faults_blamed, place_of
from treegraft.errors import TreegraftError

T = TypeVar("T")

CLOSE_SECONDS = 20.0
"""How long an environment may take to close."""
_LEAVE_SECONDS = 30.0
"""How long a call may take to end after Ctrl-C."""

_Jobs = SimpleQueue[Callable[[], None]]
_idle: list[_Jobs] = []
"""The queues of threads that wait for a job."""
os.register_at_fork(after_in_child=_idle.clear)


_Outcome = tuple[Any, TreegraftError | None]


async def in_thread(call: Callable[..., T], *args: Any, seconds: float | None = None) -> T:
    """Run a synchronous call in a thread; when cancelled, wait for it to end first.

    An environment has one owner at a time: it must not be closed while a thread is in it.

    Raises:
        TaskFault: It raised something else than a `TreegraftError`.
        CallHangs: It did not return within `seconds`.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[_Outcome] = loop.create_future()

    def deliver(found: _Outcome) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(outcome.set_result, found)

    thread = _run(partial(call, *args), deliver)
    try:
        await asyncio.wait([outcome], timeout=seconds)
    except asyncio.CancelledError:
        await asyncio.wait([outcome], timeout=_LEAVE_SECONDS)
        raise
    if not outcome.done():
        raise _hanging(thread, seconds)
    result: T = _result(outcome.result())
    return result


async def on_loop(call: Coroutine[Any, Any, T], seconds: float) -> T:
    """Await a coroutine of an environment.

    Raises:
        TaskFault: It raised something else than a `TreegraftError`.
        CallHangs: It did not return within `seconds`.
    """
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            with faults_blamed():
                return await call
    except TimeoutError:
        raise _hanging([], seconds) from None


def in_time(call: Callable[[], T], seconds: float) -> T:
    """Run a synchronous call in a thread, and wait for it; see `in_thread`."""
    outcome: SimpleQueue[_Outcome] = SimpleQueue()
    thread = _run(call, outcome.put)
    try:
        result: T = _result(outcome.get(timeout=seconds))
    except Empty:
        raise _hanging(thread, seconds) from None
    return result


def _run(call: Callable[[], Any], deliver: Callable[[_Outcome], None]) -> list[int]:
    """Run `call` in a thread, which passes the outcome on; return where its number will be."""
    context, thread = copy_context(), list[int]()

    def work() -> None:
        thread.append(threading.get_ident())
        try:
            found: _Outcome = (context.run(blamed, call), None)
        except TreegraftError as error:
            found = (None, error)
        deliver(found)

    _start(work)
    return thread


def _result(outcome: _Outcome) -> Any:
    result, error = outcome
    if error is not None:
        raise error
    return result


def _start(work: Callable[[], None]) -> None:
    """Do `work` in a thread that is idle, or in a new one."""
    try:
        jobs = _idle.pop()
    except IndexError:
        jobs = SimpleQueue()
        threading.Thread(target=_serve, args=(jobs,), name="environment", daemon=True).start()
    jobs.put(work)


def _serve(jobs: _Jobs) -> None:
    while True:
        jobs.get()()
        _idle.append(jobs)


def _hanging(thread: list[int], seconds: float | None) -> CallHangs:
    """Return the fault of a call that still runs in `thread`."""
    frame = sys._current_frames().get(thread[0]) if thread else None
    frames = traceback.extract_stack(frame) if frame else []
    place = place_of(frames)
    where = f" in {place}" if place else ""
    closes = seconds == CLOSE_SECONDS
    hint = "" if closes else "; if it needs longer, set call_seconds of the environment"
    return CallHangs(
        f"CallHangs{where}: it has not returned after {seconds:g} s{hint}",
        kind="CallHangs",
        place=place,
        trace="".join(traceback.format_list(frames)),
    )

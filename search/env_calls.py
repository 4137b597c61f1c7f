"""Calls of an environment's methods, which are synchronous, from the event loop: in a thread each.

A call that does not return in time is given up with its thread. The threads are daemons, so that
such a call keeps neither the event loop nor the process from ending.
"""

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, TypeVar

from search.faults import CallHangs, blamed, place_of
from treegraft.errors import TreegraftError

T = TypeVar("T")

CLOSE_SECONDS = 30.0
"""How long an environment may take to close, and a call to end after Ctrl-C."""

_Jobs = SimpleQueue[Callable[[], None]]
_idle: list[_Jobs] = []
"""The queues of threads that wait for a job."""
os.register_at_fork(after_in_child=_idle.clear)


async def in_thread(call: Callable[..., T], *args: Any, seconds: float | None = None) -> T:
    """Run a synchronous call in a thread; when cancelled, wait for it to end first.

    An environment has one owner at a time: it must not be closed while a thread is in it.

    Raises:
        TaskFault: It raised something else than a `TreegraftError`.
        CallHangs: It did not return within `seconds`.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[tuple[Any, TreegraftError | None]] = loop.create_future()
    context, thread = copy_context(), [0]

    def work() -> None:
        thread[0] = threading.get_ident()
        try:
            found: Any = (context.run(blamed, call, *args), None)
        except TreegraftError as error:
            found = (None, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(outcome.set_result, found)

    _start(work)
    try:
        await asyncio.wait([outcome], timeout=seconds)
    except asyncio.CancelledError:
        await asyncio.wait([outcome], timeout=CLOSE_SECONDS)
        raise
    if not outcome.done():
        raise _hanging(thread[0], seconds)
    result, error = outcome.result()
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


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


def _hanging(thread: int, seconds: float | None) -> CallHangs:
    """Return the fault of a call that still runs in `thread`."""
    frame = sys._current_frames().get(thread)
    frames = traceback.extract_stack(frame) if frame else []
    place = place_of(frames)
    return CallHangs(
        f"{place or 'a call of the environment'} has not returned after {seconds:g} s; "
        "if it needs longer, set call_seconds of the environment",
        kind="CallHangs",
        place=place,
        trace="".join(traceback.format_list(frames)),
    )

"""Calls of an environment: what they raise, and what happens to those that do not return."""

import asyncio
import threading
import time
from typing import Any

import pytest

from environments import DataError
from search.env_calls import in_thread, in_time
from search.faults import CallHangs, TaskFault, blamed


def throw(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    "error", [StopIteration(), KeyboardInterrupt(), SystemExit(2), asyncio.CancelledError()]
)
async def test_whatever_is_raised_in_a_thread_comes_back_as_a_fault(error: BaseException) -> None:
    """StopIteration cannot be set on a future: the caller waited for ever."""
    with pytest.raises(TaskFault) as told:
        await asyncio.wait_for(in_thread(throw, error, seconds=5), 5)
    assert told.value.kind == type(error).__name__
    assert told.value.place.startswith("test_env_calls.py:") and "throw" in told.value.trace


async def test_our_own_errors_come_back_as_they_are() -> None:
    with pytest.raises(DataError, match="mend it"):
        await in_thread(throw, DataError("mend it"))
    assert await in_thread(int, "3") == 3 == in_time(lambda: 3, 5)


async def test_a_call_that_hangs_is_given_up_and_says_where_it_is() -> None:
    ended = threading.Event()
    with pytest.raises(CallHangs, match=r"in test_env_calls.py:\d+ .*after 0.05 s; .*call_seconds"):
        await in_thread(lambda: ended.wait(10), seconds=0.05)
    with pytest.raises(CallHangs, match="in test_env_calls.py"):
        in_time(lambda: ended.wait(10), 0.05)
    ended.set()


async def test_a_cancelled_caller_waits_for_the_call() -> None:
    began, ended = threading.Event(), threading.Event()

    def call() -> None:
        began.set()
        time.sleep(0.1)
        ended.set()

    job = asyncio.create_task(in_thread(call))
    while not began.is_set():
        await asyncio.sleep(0.001)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert ended.is_set()


def test_ctrl_c_in_the_main_thread_is_no_fault() -> None:
    with pytest.raises(KeyboardInterrupt):
        blamed(throw, KeyboardInterrupt())

"""How many requests run at once, and how long a server asks to wait."""

import asyncio
import time
from email.utils import formatdate

import pytest

from engine.chat.limiter import Limiter
from engine.chat.retry import retry_after


async def test_at_most_the_limit_first_come_first_served() -> None:
    limiter = Limiter(3)
    order: list[int] = []
    most = 0

    async def work(number: int) -> None:
        nonlocal most
        async with limiter:
            order.append(number)
            most = max(most, limiter.active)
            await asyncio.sleep(0.001)

    await asyncio.gather(*(work(number) for number in range(20)))
    assert most == 3
    assert order == list(range(20))
    assert limiter.active == 0


async def test_a_burst_counts_once_and_growth_is_additive() -> None:
    limiter = Limiter(64, cooldown=0)
    for _ in range(10):
        limiter.cut(0)
    assert (limiter.limit, limiter.cuts) == (32, 1)
    limiter.cut(1)
    assert limiter.limit == 16
    for _ in range(17):
        limiter.grow()
    assert limiter.limit == 17
    for _ in range(10_000):
        limiter.grow()
    assert limiter.limit == 64


async def test_a_second_cut_waits_for_the_cooldown() -> None:
    limiter = Limiter(8, cooldown=0.05)
    limiter.cut(0)
    limiter.cut(1)
    assert limiter.limit == 4
    await asyncio.sleep(0.06)
    limiter.cut(1)
    assert limiter.limit == 2


async def test_the_limit_never_falls_below_one() -> None:
    limiter = Limiter(2, cooldown=0)
    for sent in range(10):
        limiter.cut(sent)
    assert limiter.limit == 1
    async with limiter:
        pass


async def test_a_pause_holds_everything_back() -> None:
    limiter, loop = Limiter(8), asyncio.get_running_loop()
    limiter.cut(0, pause=0.1)
    limiter.cut(0, pause=0.01)  # a shorter one does not end it
    began = loop.time()

    async def work() -> float:
        async with limiter:
            return loop.time() - began

    waits = await asyncio.gather(*(work() for _ in range(5)))
    assert min(waits) >= 0.099


async def test_cancelled_waiters_lose_no_turn() -> None:
    limiter = Limiter(1)

    async def work() -> None:
        async with limiter:
            await asyncio.sleep(0)

    async with limiter:
        tasks = [asyncio.create_task(work()) for _ in range(4)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[2].cancel()
    tasks[1].cancel()  # it has been given its turn, and has not yet taken it
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in results] == [True] * 3 + [False]
    assert limiter.active == 0
    await asyncio.wait_for(work(), 1)


def test_a_limit_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Limiter(0)


def test_retry_after_forms() -> None:
    assert retry_after({"retry-after": "3"}) == 3
    assert retry_after({"retry-after": "3", "retry-after-ms": "1500"}) == 1.5
    date = formatdate(time.time() + 30, usegmt=True)
    assert retry_after({"retry-after": date}) == pytest.approx(30, abs=1.5)
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    for useless in ("soon", "nan", "inf", "-4", "", "Wed, 99 Oct 99999"):
        assert retry_after({"retry-after": useless}) is None
    assert retry_after({}) is None

"""A remote worker's messages, over a transport whose other end the test plays."""

import asyncio
from collections.abc import Callable

import pytest

from engine.chat.budget import Budget
from engine.chat.limiter import Throttle
from engine.executors import remote_worker
from engine.executors.remote_worker import Lost, LostBeforeStart, RemoteWorker
from engine.executors.worker import RESERVED, DriverProxy, Message, packed
from environments import Task


class PlayedTransport:
    """Keeps what the driver sends; `receive` and `lost` are the worker's."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def start(self, receive: Callable[[Message], None], lost: Callable[[str], None]) -> None:
        self.receive, self.lost = receive, lost

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def kill(self) -> None:
        self.lost("killed")

    async def close(self) -> None:
        self.lost("")


async def test_a_lost_worker_frees_its_calls_and_is_blamed_on_started_tasks_only() -> None:
    transport, budget = PlayedTransport(), Budget(calls=1)
    worker = RemoteWorker(transport, budget, None)
    transport.receive(("ready", packed(None), 900.0))
    assert await worker.ready() is None
    searches = [asyncio.create_task(worker.search(Task(name, ""))) for name in ("a", "b")]
    await asyncio.sleep(0)
    assert [message[0] for message in transport.sent] == ["search", "search"]
    transport.receive(("started", "a"))
    transport.receive(("call", 7, "reserve", ()))
    await asyncio.sleep(0)
    assert transport.sent[-1] == ("answer", 7, RESERVED)
    transport.lost("exit code 1")
    first, second = await asyncio.gather(*searches, return_exceptions=True)
    assert type(first) is Lost and type(second) is LostBeforeStart
    await asyncio.wait_for(budget.reserve(), 1)
    with pytest.raises(LostBeforeStart):
        await worker.search(Task("c", ""))


async def test_a_reservation_whose_caller_was_cancelled_is_settled() -> None:
    sent: list[Message] = []
    driver = DriverProxy(sent.append)
    reserving = asyncio.create_task(driver.reserve())
    await asyncio.sleep(0)
    [(kind, number, method, _)] = sent
    assert (kind, method) == ("call", "reserve")
    reserving.cancel()
    await asyncio.gather(reserving, return_exceptions=True)
    driver.answered(number, RESERVED)
    assert sent[-1] == ("settle", None)


async def test_a_worker_whose_event_loop_stands_still_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote_worker, "ALIVE_SECONDS", 0.02)
    transport = PlayedTransport()
    worker = RemoteWorker(transport, Budget(), None)
    transport.receive(("ready", packed(None), 0.1))
    search = asyncio.create_task(worker.search(Task("a", "")))
    for _ in range(20):
        await asyncio.sleep(0.01)
        transport.receive(("alive", Throttle(1, 4)))
    transport.receive(("started", "a"))
    assert not search.done() and worker.throttle == Throttle(1, 4)
    with pytest.raises(Lost, match="no sign of life"):
        await asyncio.wait_for(search, 5)


async def test_a_worker_that_does_not_begin_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_worker, "START_SECONDS", 0.05)
    trouble = await RemoteWorker(PlayedTransport(), Budget(), None).ready()
    assert trouble is not None and "has not made its environment within" in str(trouble)

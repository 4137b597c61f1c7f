"""A remote worker's messages, over a transport whose other end the test plays."""

import asyncio
from collections.abc import Callable

import pytest

from engine.chat.budget import Budget
from engine.executors.remote_worker import Lost, LostBeforeStart, RemoteWorker
from engine.executors.worker import RESERVED, DriverProxy, Message
from environments import Task


class PlayedTransport:
    """Keeps what the driver sends; `receive` and `lost` are the worker's."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def start(self, receive: Callable[[Message], None], lost: Callable[[], None]) -> None:
        self.receive, self.lost = receive, lost

    def send(self, message: Message) -> None:
        self.sent.append(message)

    async def close(self) -> None:
        self.lost()


async def test_a_lost_worker_frees_its_calls_and_is_blamed_on_started_tasks_only() -> None:
    transport, budget = PlayedTransport(), Budget(calls=1)
    worker = RemoteWorker(transport, budget, None)
    transport.receive(("ready", None))
    assert await worker.ready() is None
    searches = [asyncio.create_task(worker.search(Task(name, ""))) for name in ("a", "b")]
    await asyncio.sleep(0)
    assert [message[0] for message in transport.sent] == ["search", "search"]
    transport.receive(("started", "a"))
    transport.receive(("call", 7, "reserve", ()))
    await asyncio.sleep(0)
    assert transport.sent[-1] == ("answer", 7, RESERVED)
    transport.lost()
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

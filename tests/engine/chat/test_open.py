"""The chat stack keeps what is paid for when it is closed, and sends nothing more."""

import asyncio
from pathlib import Path

import pytest

from engine.chat.base import ChatRequest
from engine.chat.budget import Budget
from engine.chat.open import ChatStack, EndpointSpec
from search.policy import BudgetSpent
from tests.support.chat_server import ChatServer


def ask(text: str) -> ChatRequest:
    return ChatRequest("m", [{"role": "user", "content": text}])


async def test_a_closed_stack_keeps_replies_under_way_and_cancels_what_waits(
    tmp_path: Path,
) -> None:
    file = tmp_path / "j.db"
    with ChatServer(lambda _: "hello", latency=0.3) as server:
        async with ChatStack(file) as stack:
            chat = stack.add(EndpointSpec(server.base_url).open(1))
            calls = [asyncio.create_task(chat.complete(ask(text))) for text in ("a", "b")]
            while not server.requests:
                await asyncio.sleep(0.01)
        under_way, waiting = await asyncio.gather(*calls, return_exceptions=True)
        assert not isinstance(under_way, BaseException)
        assert isinstance(waiting, asyncio.CancelledError)
        async with ChatStack(file) as stack:
            again = stack.add(EndpointSpec(server.base_url).open(1))
            assert await again.complete(ask("a")) == under_way
    assert len(server.requests) == 1


async def test_chats_of_a_stack_share_one_budget(tmp_path: Path) -> None:
    with ChatServer(lambda _: "hello") as one, ChatServer(lambda _: "hello") as other:
        async with ChatStack(tmp_path / "j.db", Budget(calls=1)) as stack:
            first, second = (
                stack.add(EndpointSpec(server.base_url).open(1)) for server in (one, other)
            )
            await first.complete(ask("a"))
            with pytest.raises(BudgetSpent):
                await second.complete(ask("a"))
    assert len(one.requests) == 1 and not other.requests

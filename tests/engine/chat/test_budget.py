"""Budgets and prices: what a run may spend, and what it spends."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.chat.base import ChatRequest
from engine.chat.budget import Budget, BudgetedChat
from engine.chat.endpoint import Endpoint
from engine.chat.journal import CachedChat, Journal
from engine.chat.prices import (
    Price,
    PriceError,
    cost,
    needed_price,
    price_of,
    read_prices,
)
from search.policy import BudgetSpent, PolicyError
from search.usage import Usage
from tests.support.chat_server import ChatServer, Fault, status

PRICE = Price(input=1e6, output=0.0, cached_input=0.0)  # a dollar a prompt token


def ask(number: int) -> ChatRequest:
    return ChatRequest("m", [{"role": "user", "content": str(number)}])


def ten_tokens(_: dict[str, Any]) -> dict[str, Any]:
    usage = {"prompt_tokens": 6, "completion_tokens": 4}
    return {"choices": [{"message": {"content": "x"}}], "usage": usage}


@asynccontextmanager
async def bounded(
    budget: Budget, faults: Sequence[Fault] = ()
) -> AsyncIterator[tuple[ChatServer, BudgetedChat]]:
    with ChatServer(ten_tokens, faults=faults, latency=0.01) as server:
        endpoint = Endpoint(server.base_url, price=PRICE)
        try:
            async with asyncio.timeout(20):
                yield server, BudgetedChat(endpoint, budget)
        finally:
            await endpoint.aclose()


async def ask_all(chat: BudgetedChat, count: int) -> tuple[int, list[BaseException]]:
    """Return how many were answered, and the errors of the others."""
    results = await asyncio.gather(
        *(chat.complete(ask(n)) for n in range(count)), return_exceptions=True
    )
    failures = [each for each in results if isinstance(each, BaseException)]
    return count - len(failures), failures


@pytest.mark.parametrize("bound", [0, 1, 7, 31, 32, 40])
async def test_calls_are_never_exceeded(bound: int) -> None:
    async with bounded(Budget(calls=bound)) as (server, chat):
        answered, failures = await ask_all(chat, 32)
    assert len(server.requests) == answered == min(bound, 32)
    assert all(isinstance(each, BudgetSpent) for each in failures)


async def test_the_share_of_a_failed_call_goes_to_another() -> None:
    faults = [status(400)] * 5
    async with bounded(Budget(calls=10), faults) as (server, chat):
        answered, failures = await ask_all(chat, 32)
    assert answered == 10
    assert sum(isinstance(each, PolicyError) for each in failures) == 5
    assert len(server.requests) == 15


async def test_a_cancelled_call_frees_its_share() -> None:
    async with bounded(Budget(calls=1)) as (_, chat):
        first = asyncio.create_task(chat.complete(ask(0)))
        second = asyncio.create_task(chat.complete(ask(1)))
        third = asyncio.create_task(chat.complete(ask(2)))
        await asyncio.sleep(0)
        second.cancel()
        first.cancel()
        assert (await third).usage.calls == 1


@pytest.mark.parametrize(
    ("budget", "reached"), [(Budget(tokens=25), "tokens"), (Budget(usd=15.0), "usd")]
)
async def test_tokens_and_dollars_stop_the_next_call(budget: Budget, reached: str) -> None:
    async with bounded(budget) as (server, chat):
        for number in range(3):  # the last goes over the bound, and is given all the same
            await chat.complete(ask(number))
        with pytest.raises(BudgetSpent, match=reached):
            await chat.complete(ask(3))
    assert len(server.requests) == 3
    assert budget.exhausted == reached
    assert budget.spent == Usage(3, 18, 12, 0, 18.0)


async def test_overshoot_is_at_most_what_was_under_way() -> None:
    async with bounded(Budget(tokens=25)) as (server, chat):
        for _ in range(4):
            await ask_all(chat, 8)
    assert len(server.requests) == 8


async def test_what_was_spent_before_counts() -> None:
    async with bounded(Budget(calls=5, spent=Usage(3))) as (server, chat):
        await ask_all(chat, 8)
    assert len(server.requests) == 2


async def test_a_reply_from_the_journal_costs_nothing(tmp_path: Path) -> None:
    async with bounded(Budget(calls=3)) as (server, chat):
        with Journal(tmp_path / "j.db") as journal:
            journaled = CachedChat(chat, journal)
            for _ in range(4):
                for number in range(3):
                    await journaled.complete(ask(number))
            with pytest.raises(BudgetSpent):
                await journaled.complete(ask(3))
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4-1106-preview", "gpt-4-1106"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("o3-2025-04-16", "o3"),
    ],
)
def test_names_with_a_date_have_a_price(name: str, same_as: str) -> None:
    prices = read_prices()
    assert price_of(name, prices) is prices[same_as]


@pytest.mark.parametrize("name", ["", "gpt", "gpt-4omega", "gpt-5.9", "ft:gpt-4o", "Qwen3-8B"])
def test_other_names_have_none(name: str) -> None:
    assert price_of(name, read_prices()) is None
    with pytest.raises(PriceError, match="--prices"):
        needed_price(name, read_prices())


def test_the_built_in_prices_are_sane() -> None:
    prices = read_prices()
    assert needed_price("gpt-4o", prices) == Price(2.5, 10.0, 1.25)
    assert all(0 < each.cached_input <= each.input <= each.output for each in prices.values())


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_users_prices_go_first(tmp_path: Path, wrapped: bool) -> None:
    mine = {"gpt-4o": {"input": 1, "output": 2}, "my-model": {"input": 0, "output": 0}}
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"models": mine} if wrapped else mine))
    prices = read_prices(file)
    assert price_of("gpt-4o", prices) == Price(1.0, 2.0, 1.0)
    assert price_of("my-model-7b", prices) == Price(0.0, 0.0, 0.0)
    assert price_of("gpt-4o-mini", prices) == price_of("gpt-4o-mini", read_prices())


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"m": 1}',
        '{"m": {"input": 1}}',
        '{"m": {"input": 1, "output": "2"}}',
        '{"m": {"input": 1, "output": -2}}',
        '{"m": {"input": 1, "output": NaN}}',
        '{"m": {"input": true, "output": 1}}',
        '{"m": {"input": 1, "output": 1, "cahced_input": 1}}',
    ],
)
def test_a_bad_price_file_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(content)
    with pytest.raises(PriceError, match=r"prices\.json"):
        read_prices(file)
    with pytest.raises(PriceError, match="absent"):
        read_prices(tmp_path / "absent")


def test_cost() -> None:
    price = Price(input=2.0, output=8.0, cached_input=0.5)
    assert cost(price, Usage(1, 1_000_000, 500_000, 400_000)) == pytest.approx(1.2 + 0.2 + 4.0)

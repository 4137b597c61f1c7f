"""The endpoint against a real server on loopback, with every fault that it can meet."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from engine.chat.base import ChatRequest
from engine.chat.endpoint import Endpoint
from engine.chat.open import EndpointSpec
from engine.chat.prices import Price
from engine.chat.retry import Retries
from search.policy import PolicyError
from search.usage import Usage
from tests.support.chat_faults import (
    EMPTY_CHOICES,
    HALF,
    NOT_JSON,
    RESET,
    Fault,
    hang,
    status,
    text,
)
from tests.support.chat_server import ChatServer, Reply

QUICK = Retries(attempts=4, seconds=10, first=0.01, longest=0.02, patience=0.3)
ASK = ChatRequest("m", [{"role": "user", "content": "hi"}])
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def hello(_: dict[str, Any]) -> str:
    return "hello"


@asynccontextmanager
async def asked(
    reply: Reply = hello, faults: Sequence[Fault] = (), **options: Any
) -> AsyncIterator[tuple[ChatServer, Endpoint]]:
    with ChatServer(reply, faults=faults) as server:
        options = {"api_key": "sk-secret", "retries": QUICK, **options}
        endpoint = Endpoint(server.base_url, **options)
        try:
            yield server, endpoint
        finally:
            await endpoint.aclose()


def raw(choice: dict[str, Any] | None = None, **fields: Any) -> Reply:
    """A reply function that sends one choice and `fields` as they are."""
    choice = {"message": {"role": "assistant", "content": "x"}} if choice is None else choice
    return lambda _: {"choices": [choice], **fields}


async def test_request_and_reply() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 400},
    }
    message = {"role": "assistant", "content": None, "tool_calls": [call], "audio": None}
    choice = {"message": message, "finish_reason": "tool_calls"}
    price = Price(input=2.0, output=8.0, cached_input=0.5)
    async with asked(raw(choice, usage=usage, model="m-2"), price=price) as (server, endpoint):
        request = ChatRequest("m", ASK.messages, [TOOL], {"temperature": 0.5, "top_k": 3}, 7)
        reply = await endpoint.complete(request)
    assert server.requests == [
        {"model": "m", "messages": ASK.messages, "tools": [TOOL], "temperature": 0.5, "top_k": 3}
    ]
    assert server.headers[0]["authorization"] == "Bearer sk-secret"
    assert reply.messages == ({"role": "assistant", "content": None, "tool_calls": [call]},)
    assert reply.model == "m-2"
    assert reply.finish == ("tool_calls",)
    usd = (600 * 2.0 + 400 * 0.5 + 100 * 8.0) / 1e6
    assert reply.usage == Usage(1, 1000, 100, 400, reply.usage.usd)
    assert reply.usage.usd == pytest.approx(usd)


async def test_empty_tools_are_not_sent_and_every_choice_is_kept() -> None:
    async with asked(lambda _: ["a", "b"]) as (server, endpoint):  # type: ignore[list-item]
        reply = await endpoint.complete(ChatRequest("m", ASK.messages, [], {"n": 2}))
    assert "tools" not in server.requests[0]
    assert [message["content"] for message in reply.messages] == ["a", "b"]


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "many",
        {"prompt_tokens": None, "completion_tokens": -3},
        {"prompt_tokens": 10**30, "prompt_tokens_details": []},
    ],
)
async def test_useless_usage_counts_as_nothing(usage: Any) -> None:
    async with asked(raw(usage=usage)) as (_, endpoint):
        assert (await endpoint.complete(ASK)).usage == Usage(1)


async def test_content_in_parts_is_joined_and_thinking_is_kept() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    choice = {"message": {"content": parts, "reasoning_content": "hm"}}
    async with asked(raw(choice)) as (_, endpoint):
        [message] = (await endpoint.complete(ASK)).messages
    assert message == {"role": "assistant", "content": "ab", "reasoning_content": "hm"}


PASSING = [
    *(status(code) for code in (408, 409, 429, 500, 502, 503, 504)),
    status(429, after=0.05),
    HALF,
    RESET,
    NOT_JSON,
    EMPTY_CHOICES,
    hang(),
    hang(0.01),
    text(""),
    text("[" * 100_000),
    text([1]),
    text({"choices": None}),
    text({"choices": [1]}),
    text({"choices": [{"message": None}]}),
    text({"choices": [{"message": {"content": "", "tool_calls": [1]}}]}),
    text({"error": {"message": "busy", "code": 503}}),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: f"{fault.kind}-{fault.status}")
async def test_transient_errors_are_retried(fault: Fault) -> None:
    async with asked(faults=[fault], timeout=2.0) as (server, endpoint):
        reply = await endpoint.complete(ASK)
    assert reply.messages[0]["content"] == "hello"
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "fault",
    [
        *(status(code, message="it is so") for code in (400, 401, 403, 404, 413, 422)),
        status(429, message="it is so", code="insufficient_quota"),
        status(500, message="it is so", code="context_length_exceeded"),
        text({"error": {"message": "it is so", "code": 401}}),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_what_does_not_change_fails_at_once(fault: Fault) -> None:
    async with asked(faults=[fault]) as (server, endpoint):
        with pytest.raises(PolicyError, match="it is so"):
            await endpoint.complete(ASK)
    assert len(server.requests) == 1


async def test_attempts_are_bounded() -> None:
    async with asked(faults=[status(503, message=f"no {n}") for n in range(9)]) as (server, end):
        with pytest.raises(PolicyError, match="after 4 attempts .* HTTP 503: no 3"):
            await end.complete(ASK)
    assert len(server.requests) == 4


async def test_seconds_are_bounded() -> None:
    brief = Retries(attempts=10**6, seconds=0.3, first=0.01, longest=0.05)
    began = time.monotonic()
    async with asked(faults=[status(500)] * 1000, retries=brief) as (_, endpoint):
        with pytest.raises(PolicyError, match="gave up"):
            await endpoint.complete(ASK)
    assert time.monotonic() - began < 1.5


async def test_seconds_count_hanging_attempts() -> None:
    brief = Retries(attempts=100, seconds=0.5, first=0.001, longest=0.001)
    async with asked(faults=[hang()] * 100, retries=brief, timeout=0.2) as (server, endpoint):
        with pytest.raises(PolicyError, match="no answer from .* in 0.2 s"):
            await endpoint.complete(ASK)
    assert len(server.requests) == 3


@pytest.mark.parametrize("code", [409, 429])
@pytest.mark.parametrize(("after", "least"), [(0.2, 0.2), (60, 0.3)])
async def test_retry_after_is_obeyed_and_capped(code: int, after: float, least: float) -> None:
    began = time.monotonic()
    async with asked(faults=[status(code, after=after)]) as (_, endpoint):
        await endpoint.complete(ASK)
    assert least <= time.monotonic() - began < least + 2


async def test_a_refusal_holds_the_others_back() -> None:
    async with asked(faults=[status(429, after=0.25)]) as (server, endpoint):
        first = asyncio.create_task(endpoint.complete(ASK))
        while not endpoint.limiter.cuts:
            await asyncio.sleep(0.001)
        began = time.monotonic()
        await asyncio.gather(*(endpoint.complete(ASK) for _ in range(5)))
        assert time.monotonic() - began > 0.2
        await first
    assert len(server.requests) == 7


async def test_a_dead_server_is_waited_for() -> None:
    with ChatServer(hello) as server:
        port = server.port
    patient = Retries(attempts=30, first=0.05, longest=0.1)
    endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", retries=patient)
    try:
        asking = asyncio.create_task(endpoint.complete(ASK))
        await asyncio.sleep(0.3)
        assert not asking.done()
        with ChatServer(hello, port=port):
            assert (await asking).messages[0]["content"] == "hello"
        with pytest.raises(PolicyError, match="gave up after 2 attempts"):
            endpoint._retries = Retries(attempts=2, first=0.01)
            await endpoint.complete(ASK)
    finally:
        await endpoint.aclose()


@pytest.mark.parametrize("code", [401, 503])
async def test_no_secret_is_shown(code: int) -> None:
    fault = status(code, message="Bearer sk-secret and hunter2! are wrong")
    with ChatServer(hello, faults=[fault] * 4) as server:
        address = server.base_url.replace("//", "//me:hunter2!@")
        endpoint = Endpoint(address, "sk-secret", retries=QUICK)
        assert endpoint.base_url == server.base_url
        with pytest.raises(PolicyError) as caught:
            await endpoint.complete(ASK)
        await endpoint.aclose()
    shown = f"{caught.value} {caught.value.__cause__} {endpoint!r}"
    assert "[key] and [key] are wrong" in shown
    assert "secret" not in shown
    assert "hunter" not in shown


async def test_half_a_surrogate_pair_crashes_neither_way() -> None:
    call = {"function": {"name": "look", "arguments": '{"a": "\udc00"}'}}
    choice = {"message": {"content": "\ud800 \U0001f600", "tool_calls": [call]}}
    async with asked(raw(choice)) as (server, endpoint):
        request = ChatRequest("m", [{"role": "user", "content": "a\ud83db \U0001f600"}])
        [message] = (await endpoint.complete(request)).messages
    assert server.requests[0]["messages"][0]["content"] == "a\ufffdb \U0001f600"
    assert message["content"] == "\ufffd \U0001f600"
    assert message["tool_calls"][0]["function"]["arguments"] == '{"a": "\ufffd"}'


async def test_a_burst_of_refusals_halves_the_limit_once() -> None:
    async with asked(faults=[status(429)] * 8, concurrency=8) as (server, endpoint):
        await asyncio.gather(*(endpoint.complete(ASK) for _ in range(8)))
        assert endpoint.limiter.cuts == 1
        assert 4 <= endpoint.limiter.limit <= 6
    assert len(server.requests) == 16


async def test_concurrency_is_bounded() -> None:
    async with asked(concurrency=3) as (server, endpoint):
        server.latency = 0.02
        await asyncio.gather(*(endpoint.complete(ASK) for _ in range(12)))
    assert server.busiest == 3


async def test_stop_sends_nothing_more_and_lets_the_rest_finish() -> None:
    slow = Retries(first=60, longest=60)
    async with (
        asyncio.timeout(10),
        asked(faults=[status(500)], concurrency=1, retries=slow) as (server, endpoint),
    ):
        retried = asyncio.create_task(endpoint.complete(ASK))
        while endpoint.limiter.active or not server.requests:
            await asyncio.sleep(0.01)
        server.latency = 0.2
        calls = [asyncio.create_task(endpoint.complete(ASK)) for _ in range(3)]
        while len(server.requests) < 2:
            await asyncio.sleep(0.01)
        endpoint.stop()
        sent, *queued = await asyncio.gather(*calls, return_exceptions=True)
        assert not isinstance(sent, BaseException)
        assert all(isinstance(each, asyncio.CancelledError) for each in queued)
        with pytest.raises(asyncio.CancelledError):
            await retried
    assert len(server.requests) == 2


async def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    for url in ("", "https://api.openai.com/v1/"):
        with pytest.raises(PolicyError, match="OPENAI_API_KEY"):
            EndpointSpec.from_environment(url)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1/")
    local = EndpointSpec.from_environment().open(1)
    assert local.base_url == "http://127.0.0.1:1/v1"
    monkeypatch.setenv("OPENAI_API_KEY", " sk-secret\n")
    spec = EndpointSpec.from_environment("https://api.openai.com/v1")
    assert "secret" not in repr(spec)
    remote = spec.open(1)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-sécret")
    with pytest.raises(PolicyError, match="characters") as caught:
        EndpointSpec.from_environment().open(1)
    assert "cret" not in str(caught.value)
    for endpoint in (local, remote):
        await endpoint.aclose()


@pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://a", "http://", "http://a:b", "http://[a"])
def test_a_bad_address_is_refused(url: str) -> None:
    with pytest.raises(PolicyError, match="base URL"):
        Endpoint(url)

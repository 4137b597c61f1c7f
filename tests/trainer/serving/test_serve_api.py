"""The built-in server by its API: the real OpenAI client, and requests no client would send."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
import torch

from engine.chat.base import ChatRequest
from engine.chat.endpoint import Endpoint
from engine.web import HOST, WebServer, listen
from search.policy import PolicyError
from trainer.inference.local_chat import LocalChat
from trainer.runtime.loading import load
from trainer.serving.api import MAX_BODY_BYTES, Api
from trainer.tokens.chat_template import ChatTemplate

GREEDY: dict[str, Any] = {"model": "tiny", "temperature": 0.0, "max_tokens": 12}
HELLO: list[Any] = [{"role": "user", "content": "hello"}]
KEY = "a secret of ours"


@pytest.fixture(scope="module")
def chat(tiny: Path) -> Iterator[LocalChat]:
    chat = LocalChat(str(tiny), slots=4, dtype=torch.float32)
    yield chat
    chat.close()


@contextmanager
def served(api: Api) -> Iterator[str]:
    """The base URL of a server that ends with the block."""
    with WebServer(api, listen(HOST, 0), api.stop) as server:
        yield f"{server.address}v1"


@asynccontextmanager
async def client(chat: LocalChat, key: str = "") -> AsyncIterator[openai.AsyncOpenAI]:
    with served(Api(chat, "tiny", key)) as url:
        async with openai.AsyncOpenAI(
            base_url=url, api_key=key or "none", max_retries=0
        ) as connected:
            yield connected


async def raw(url: str, sent: bytes) -> bytes:
    """What a server says to these bytes, until it hangs up."""
    port = int(url.rsplit(":", 1)[1].removesuffix("/v1"))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(20):
        said = await reader.read()
    writer.close()
    return said


def posted(body: bytes, *headers: bytes, path: bytes = b"/v1/chat/completions") -> bytes:
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: localhost", *headers]
    if not headers:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


async def test_the_official_client_is_answered_as_the_chat_in_this_process(chat: LocalChat) -> None:
    expected = await chat.complete(ChatRequest("any", HELLO, [], GREEDY | {"model": None}))
    async with client(chat) as connected:
        reply = await connected.chat.completions.create(messages=HELLO, **GREEDY)
        models = [model.id async for model in connected.models.list()]
        assert (await connected.models.retrieve("tiny")).id == "tiny"
    (choice,) = reply.choices
    assert choice.message.content == expected.messages[0]["content"]
    assert (choice.finish_reason, choice.logprobs) == (expected.finish[0], None)
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == expected.usage.prompt_tokens
    assert reply.usage.completion_tokens == expected.usage.completion_tokens == 12
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.prompt_tokens_details.cached_tokens == reply.usage.prompt_tokens - 1
    assert chat.base_url == f"local:{chat.name}@{reply.system_fingerprint}"
    assert (reply.model, models) == ("tiny", ["tiny"])


async def test_prometheus_reads_the_figures(chat: LocalChat) -> None:
    bodies: list[dict[str, Any]] = [{}, {"seed": 2}, {"temperature": "hot"}]
    with served(Api(chat, "tiny")) as url:
        for more in bodies:
            body = json.dumps(GREEDY | {"messages": HELLO} | more).encode()
            await raw(url, posted(body, b"Content-Length: %d" % len(body), b"Connection: close"))
        said = await raw(
            url, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
    lines = said.decode().partition("\r\n\r\n")[2].splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values['treegraft_serve_requests_total{code="200"}'] == "2"
    assert values['treegraft_serve_requests_total{code="400"}'] == "1"
    assert values["treegraft_serve_requests_under_way"] == "0"
    assert values['treegraft_serve_tokens_total{kind="completion"}'] == "24"
    assert values["treegraft_serve_seconds_count"] == "2"


async def test_many_at_once_are_answered_as_one_by_one(chat: LocalChat) -> None:
    talks: list[list[Any]] = [[{"role": "user", "content": "word " * n}] for n in range(1, 12)]
    async with client(chat) as connected:

        async def ask(talk: list[Any]) -> str | None:
            reply = await connected.chat.completions.create(messages=talk, **GREEDY)
            return reply.choices[0].message.content

        single = [await ask(talk) for talk in talks]
        assert await asyncio.gather(*map(ask, talks)) == single
    assert len(set(single)) > 3, "the model answers differently to different prompts"


async def test_choices_are_drawn_anew_unless_a_seed_is_given(chat: LocalChat) -> None:
    drawn = {"model": "tiny", "n": 3, "max_tokens": 6, "top_p": 0.99}

    async with client(chat) as connected:

        async def ask(**more: Any) -> list[str | None]:
            reply = await connected.chat.completions.create(messages=HELLO, **drawn, **more)
            return [choice.message.content for choice in reply.choices]

        seeded = await ask(seed=5)
        assert len(set(seeded)) == 3
        assert await ask(seed=5) == seeded
        assert await ask() != await ask()


@pytest.mark.parametrize("stop", [[], ["\n"], ["e", "a"]])
async def test_the_texts_of_scored_tokens_make_up_the_reply(
    chat: LocalChat, stop: list[str]
) -> None:
    """Also where characters are cut into several tokens, as a random model does all the time."""
    async with client(chat) as connected:
        for seed in range(5):
            reply = await connected.chat.completions.create(
                model="tiny",
                messages=HELLO,
                max_tokens=20,
                temperature=1.0,
                seed=seed,
                logprobs=True,
                top_logprobs=0,
                stop=stop,
            )
            (choice,) = reply.choices
            assert choice.logprobs is not None and choice.logprobs.content is not None
            tokens = choice.logprobs.content
            assert "".join(token.token for token in tokens) == choice.message.content
            assert all(token.logprob < 0 and not token.top_logprobs for token in tokens)
            assert b"".join(bytes(token.bytes or ()) for token in tokens).decode() == (
                choice.message.content
            )


async def test_logprobs_are_those_of_a_forward_pass_over_prompt_and_reply() -> None:
    """With the embedded student, whose reply is computed at once by transformers itself."""
    model, tokenizer = load("smollm2", torch.float32)
    renderer = ChatTemplate(tokenizer)
    prompt = renderer.encode(renderer.render(HELLO, generation=True))
    with torch.inference_mode():
        whole = model.generate(torch.tensor([prompt]), max_new_tokens=14, do_sample=False)[0]
        logits = model(whole[None]).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    drawn = whole[len(prompt) :]
    if int(drawn[-1]) == tokenizer.eos_token_id:
        drawn = drawn[:-1]  # a token that ends the reply is no part of it
    expected = logits[: len(drawn)].gather(-1, drawn[:, None])[:, 0].tolist()
    chat = LocalChat("smollm2", slots=2, dtype=torch.float32)
    try:
        async with client(chat) as connected:
            asked = GREEDY | {"max_tokens": 14, "logprobs": True}
            reply = await connected.chat.completions.create(messages=HELLO, **asked)
            url = str(connected.base_url)
            endpoint = Endpoint(url)
            through = await endpoint.complete(ChatRequest("tiny", HELLO, [], asked))
            await endpoint.aclose()
        local = await chat.complete(ChatRequest("tiny", HELLO, [], asked | {"model": None}))
    finally:
        chat.close()
    scored = reply.choices[0].logprobs
    assert scored is not None and scored.content is not None
    assert [token.token for token in scored.content] == [tokenizer.decode(id) for id in drawn]
    assert [token.logprob for token in scored.content] == pytest.approx(expected, abs=2e-3)
    mean = pytest.approx(sum(expected) / len(expected), abs=2e-3)
    assert local.logprobs == (mean,)
    assert through.logprobs == (mean,)


@pytest.mark.parametrize(
    ("changed", "status", "code", "words"),
    [
        ({"model": "other"}, 404, "model_not_found", "no model 'other' here, only 'tiny'"),
        ({"model": None}, 404, "model_not_found", "no model None"),
        ({"messages": []}, 400, "invalid_value", "at least one message"),
        ({"messages": "hi"}, 400, "invalid_value", "messages must be a list"),
        ({"messages": [{"content": "x"}]}, 400, "invalid_value", "with a role"),
        ({"messages": [{"role": "user", "content": 3}]}, 400, "invalid_value", "is text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, None, "text"),
        ({"messages": [{"role": "x", "content": "word " * 900}]}, 400, None, "context of 512"),
        ({"temperature": -1}, 400, "invalid_value", "temperature must be a number of at least 0"),
        ({"temperature": True}, 400, "invalid_value", "temperature"),
        ({"top_p": 1.5}, 400, "invalid_value", "top_p must be a number from 0 to 1"),
        ({"n": 0}, 400, "invalid_value", "n must be an integer from 1 to 128"),
        ({"max_tokens": 0}, 400, "invalid_value", "max_tokens"),
        ({"stop": [""]}, 400, "invalid_value", "list of non-empty strings"),
        ({"stream": True}, 400, "unsupported_parameter", "stream is not supported here"),
        ({"top_logprobs": 3}, 400, "unsupported_parameter", "; only 0 is"),
        ({"response_format": {"type": "json_object"}}, 400, "unsupported_parameter", "response"),
        ({"tool_choice": "required"}, 400, "unsupported_parameter", "tool_choice"),
        ({"logit_bias": {"3": 1}}, 400, "unsupported_parameter", "logit_bias"),
        ({"guided_json": {}}, 400, "unsupported_parameter", "guided_json is not supported here"),
        ({"tools": [{"type": "function"}]}, 400, "invalid_value", "a list of functions"),
    ],
)
async def test_what_cannot_be_answered_is_an_error_in_openais_form(
    chat: LocalChat, changed: dict[str, Any], status: int, code: str | None, words: str
) -> None:
    body = GREEDY | {"messages": HELLO} | changed
    async with client(chat) as connected:
        with pytest.raises(openai.APIStatusError) as caught:
            await connected.post("/chat/completions", body=body, cast_to=object)
    error = caught.value
    assert error.status_code == status
    assert words in error.message
    assert isinstance(error.body, dict)
    assert error.body["type"] == "invalid_request_error"
    assert code is None or error.body["code"] == code


async def test_parameters_that_change_nothing_are_taken(chat: LocalChat) -> None:
    idle = {
        **{"stream": False, "presence_penalty": 0.0, "tool_choice": "auto", "user": "me"},
        **{"response_format": {"type": "text"}, "logit_bias": {}, "stop": None, "seed": None},
    }
    content = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    parts = [{"role": "user", "content": content}]
    async with client(chat) as connected:
        plain = await connected.chat.completions.create(messages=HELLO, **GREEDY)
        body = GREEDY | idle | {"messages": parts}
        same: Any = await connected.post("/chat/completions", body=body, cast_to=object)
    assert same["choices"][0]["message"]["content"] == plain.choices[0].message.content


async def test_a_context_that_is_too_short_is_known_by_its_code(chat: LocalChat) -> None:
    """And ends a task at once, when the engine asks."""
    long: list[Any] = [{"role": "user", "content": "word " * 600}]
    async with client(chat) as connected:
        with pytest.raises(openai.BadRequestError) as caught:
            await connected.chat.completions.create(messages=long, **GREEDY)
        assert caught.value.code == "context_length_exceeded"
        endpoint = Endpoint(str(connected.base_url))
        with pytest.raises(PolicyError, match="over the context of 512"):
            await endpoint.complete(ChatRequest("tiny", long, [], {"temperature": 0.0}))
        await endpoint.aclose()


async def test_a_key_is_wanted_everywhere_but_for_health(chat: LocalChat) -> None:
    async with client(chat, KEY) as connected:
        assert (await connected.chat.completions.create(messages=HELLO, **GREEDY)).choices
        url = str(connected.base_url).rstrip("/")
        for wrong in ("none", KEY[:-1], f"{KEY}x"):
            with pytest.raises(openai.AuthenticationError) as caught:
                await connected.with_options(api_key=wrong).models.list()
            assert caught.value.code == "invalid_api_key"
            assert KEY not in caught.value.message
        health = await raw(
            url, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
    assert health.startswith(b"HTTP/1.1 200 ")


async def test_a_page_that_found_its_way_here_by_another_name_is_refused(chat: LocalChat) -> None:
    with served(Api(chat, "tiny")) as url:
        ask = b"GET /v1/models HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
        assert b" 403 " in await raw(url, ask % b"evil.example:8000")
        assert b" 200 " in await raw(url, ask % b"localhost:1")
    with served(Api(chat, "tiny", loopback=False)) as url:
        assert b" 200 " in await raw(url, ask % b"student.example:8000")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\n\r\n", 400),  # no Host
        (posted(b"{", b"Content-Length: 1", b"Connection: close"), 400),
        (posted(b"[1]", b"Content-Length: 3", b"Connection: close"), 400),
        (posted(b"[" * 10**5, b"Content-Length: 100000", b"Connection: close"), 400),
        (posted(b"", b"Content-Length: 0", b"Connection: close", path=b"/v2"), 404),
        (posted(b"", b"Content-Length: 0", b"Connection: close", path=b"/v1/models"), 405),
        (
            b"HEAD /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            405,
        ),
    ],
)
async def test_what_is_no_request_is_refused(chat: LocalChat, sent: bytes, status: int) -> None:
    with served(Api(chat, "tiny")) as url:
        said = await raw(url, sent)
    assert said.startswith(b"HTTP/1.1 %d " % status), said[:200]


async def test_chunks_continuations_and_requests_sent_ahead_are_understood(chat: LocalChat) -> None:
    body = json.dumps(GREEDY | {"messages": HELLO}).encode()
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    first = posted(chunked, b"Transfer-Encoding: chunked", b"Expect: 100-continue")
    second = posted(body, b"Content-Length: %d" % len(body), b"Connection: close")
    with served(Api(chat, "tiny")) as url:
        said = await raw(url, first + second)
    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert said.count(b'"finish_reason"') == 2


async def test_a_reply_that_nobody_waits_for_is_generated_no_further(tiny: Path) -> None:
    chat = LocalChat(str(tiny), slots=1, dtype=torch.float32)
    api = Api(chat, "tiny")
    long = GREEDY | {"messages": HELLO, "max_tokens": 450, "temperature": 1.0, "seed": 1}
    try:
        with served(api) as url:
            for _ in range(3):
                body = json.dumps(long).encode()
                port = int(url.rsplit(":", 1)[1].removesuffix("/v1"))
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(posted(body))
                await asyncio.sleep(0.02)
                writer.close()
            async with openai.AsyncOpenAI(base_url=url, api_key="none") as connected:
                await connected.chat.completions.create(messages=HELLO, **GREEDY)
    finally:
        chat.close()
    figures = api.figures
    assert figures.requests[200] == 1, "with one slot, the last request is done last"
    assert figures.tokens["completion"] == 12


async def test_a_request_that_is_too_large_is_refused(chat: LocalChat) -> None:
    body = GREEDY | {"messages": HELLO, "user": "x" * MAX_BODY_BYTES}
    async with client(chat) as connected:
        with pytest.raises(openai.APIStatusError, match="at most 33554432 bytes") as caught:
            await connected.post("/chat/completions", body=body, cast_to=object)
    assert caught.value.status_code == 413


async def test_a_stopping_server_answers_whoever_still_waits(tiny: Path) -> None:
    chat = LocalChat(str(tiny), slots=1, dtype=torch.float32)
    long = GREEDY | {"messages": HELLO, "max_tokens": 450}
    try:
        with served(Api(chat, "tiny")) as url:
            waiting = [
                asyncio.create_task(raw(url, posted(json.dumps(long).encode()))) for _ in range(3)
            ]
            idle = asyncio.create_task(raw(url, b""))
            await asyncio.sleep(0.1)
            assert not any(task.done() for task in (*waiting, idle))
        last = (await asyncio.gather(*waiting))[-1]
        assert last.startswith(b"HTTP/1.1 503 ") and b"shutting down" in last
        assert await idle == b""
    finally:
        chat.close()


async def test_a_defect_is_printed_and_reported_and_does_not_stop_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with served(Api(None, "tiny")) as url:  # type: ignore[arg-type]  # the defect
        for _ in range(2):
            reply = await raw(url, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert reply.startswith(b"HTTP/1.1 500 ")
            assert b"server_error" in reply and b"AttributeError" in reply
    assert "AttributeError: 'NoneType'" in caplog.text

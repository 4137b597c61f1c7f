"""A server's error in any form is told in its words; what no request gets past ends the command."""

import json
from typing import Any

import pytest

from engine.chat.base import ChatRequest, EndpointUnusable
from engine.chat.open import EndpointSpec
from engine.chat.retry import Retries
from search.policy import PolicyError
from tests.support.chat_faults import HALF, RESET, Fault, status, text
from tests.support.chat_server import ChatServer

QUICK = Retries(attempts=3, seconds=5, first=0.01, longest=0.02)
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def ask(*, tools: bool = False, **sampling: Any) -> ChatRequest:
    return ChatRequest("qwen9", [{"role": "user", "content": "hi"}], [TOOL] * tools, sampling)


async def refused(
    *faults: Fault, request: ChatRequest | None = None, first: bool = True
) -> tuple[Exception, int]:
    """What a request raises, and how often it was sent; `first`: nothing succeeded before it."""
    good = () if first else (text(json.dumps({"choices": [{"message": {"content": "x"}}]})),)
    with ChatServer(lambda _: "hello", faults=[*good, *faults]) as server:
        endpoint = EndpointSpec(server.base_url, "sk-secret", retries=QUICK).open(1)
        try:
            if not first:
                await endpoint.complete(request or ask())
            with pytest.raises(PolicyError) as caught:
                await endpoint.complete(request or ask())
        finally:
            await endpoint.aclose()
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)
    return caught.value, len(server.requests) - len(good)


PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>x</body></html>"
FINAL = [
    ({"error": "model 'qwen9' not found, try pulling it first"}, "try pulling it first"),
    ({"error": {"message": "no such model", "code": 404}}, "no such model"),
    ({"error": {"message": "bad", "type": "invalid_request_error", "code": None}}, "bad"),
    ({"detail": "Invalid API key"}, "Invalid API key"),
    ({"detail": [{"loc": ["body", "n"], "msg": "field required"}]}, "body.n: field required"),
    ({"message": "Unauthorized", "code": 401}, "Unauthorized"),
    ({"code": "InvalidApiKey", "message": "Invalid API-key provided."}, "API-key provided"),
    ({"object": "error", "message": "Only qwen is here", "code": 40301}, "Only qwen is here"),
    ({"error_code": 336003, "error_msg": "the model is unknown"}, "model is unknown"),
    ({"base_resp": {"status_code": 1004, "status_msg": "login fail"}, "choices": None}, "login"),
    ({"errors": [{"message": "model does not exist"}]}, "does not exist"),
    ({"choices": None, "error": "quota exceeded"}, "quota exceeded"),
    ('data: {"error": {"message": "no such model", "code": 404}}\n\ndata: [DONE]\n', "no such mo"),
    ('"model not found"', "model not found"),
]


@pytest.mark.parametrize(("body", "words"), FINAL, ids=range(len(FINAL)))
@pytest.mark.parametrize("first", [True, False])
async def test_a_final_error_in_a_200_is_told_at_once(body: Any, words: str, first: bool) -> None:
    error, sent = await refused(text(body), first=first)
    assert words in str(error) and sent == 1


@pytest.mark.parametrize(
    "body",
    [{"error": "server overloaded, try again"}, {"message": "The model is loading", "code": 503},
     {"choices": None}, {"detail": "something odd"}, PAGE.replace("Sign in", "Bad gateway")],
)  # fmt: skip
async def test_what_may_pass_is_asked_again(body: Any) -> None:
    error, sent = await refused(*[text(body)] * 3, first=False)
    assert sent == 3 and "gave up after 3 attempts" in str(error)


UNUSABLE: list[tuple[Fault, str, dict[str, Any]]] = [
    (status(401, message="Incorrect API key: sk-secret"), "check the key in OPENAI_API_KEY", {}),
    (status(403, message="Forbidden"), "check the key", {}),
    (status(404, message="The model `qwen9` does not exist"), "name a model that", {}),
    (status(400, message="qwen9 is not a valid model ID"), "name a model that", {}),
    (Fault("status", 404, body="<html>nginx</html>"), "check the base URL", {}),
    (Fault("status", 404, body='{"detail":"Not Found"}'), "check the base URL", {}),
    (status(405, message="Method Not Allowed"), "check the base URL", {}),
    (text(PAGE), "'Sign in', not JSON; requests go to", {}),
    (status(429, message="pay", code="insufficient_quota"), "the account cannot pay", {}),
    (status(400, message="'n' : number must be at most 1"), "--siblings diverse", {"n": 2}),
    (status(422, message="Only one completion choice is allowed"), "--siblings", {"n": 2}),
    (status(400, message="qwen9 does not support tools"), "--template react", {"tools": True}),
    (status(500, message="tools param requires --jinja flag"), "--template re", {"tools": True}),
    (
        status(400, message='"auto" tool choice requires --enable-auto-tool-choice'),
        "--template react",
        {"tools": True},
    ),
    (
        status(400, message="Unsupported parameter: 'seed'"),
        "--sampling '{\"seed\": null}'",
        {"seed": 1, "temperature": 1},
    ),
    (
        status(400, message="Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'"),
        '{"max_tokens": null, "max_completion_tokens": 9}',
        {"max_tokens": 9},
    ),
]


@pytest.mark.parametrize(("fault", "words", "asked"), UNUSABLE, ids=range(len(UNUSABLE)))
async def test_what_every_request_meets_ends_the_command(
    fault: Fault, words: str, asked: dict[str, Any]
) -> None:
    error, sent = await refused(fault, request=ask(**asked))
    assert isinstance(error, EndpointUnusable) and words in str(error) and sent == 1
    later, _ = await refused(*[fault] * 3, request=ask(**asked), first=False)
    assert not isinstance(later, EndpointUnusable)


@pytest.mark.parametrize(
    "words",
    ["maximum context length is 8 tokens", "the prompt was filtered by the content policy"],
)
async def test_a_refusal_of_one_request_is_that_request_s_only(words: str) -> None:
    error, sent = await refused(status(400, message=words), request=ask(seed=1))
    assert not isinstance(error, EndpointUnusable) and words in str(error) and sent == 1


async def test_n_may_be_refused_after_other_requests_succeeded() -> None:
    fault = status(400, message="n must be 1")
    with ChatServer(
        lambda _: "hi", faults=lambda r: fault if r.get("n", 1) > 1 else None
    ) as server:
        endpoint = EndpointSpec(server.base_url).open(1)
        await endpoint.complete(ask())
        with pytest.raises(EndpointUnusable, match="--siblings diverse"):
            await endpoint.complete(ask(n=2))
        await endpoint.aclose()


@pytest.mark.parametrize("fault", [HALF, RESET])
async def test_a_first_connection_that_breaks_is_tried_again(fault: Fault) -> None:
    with ChatServer(lambda _: "hello", faults=[fault]) as server:
        endpoint = EndpointSpec(server.base_url, retries=QUICK).open(1)
        assert (await endpoint.complete(ask())).messages[0]["content"] == "hello"
        await endpoint.aclose()


async def test_an_event_stream_is_read_as_one_answer() -> None:
    call = {"index": 0, "id": "1", "function": {"name": "look", "arguments": '{"a"'}}
    pieces = [
        {"delta": {"role": "assistant", "content": "He"}},
        {"delta": {"content": "llo", "tool_calls": [call]}},
        {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}},
        {"delta": {}, "finish_reason": "tool_calls"},
    ]
    events = [{"choices": [{"index": 0, **piece}]} for piece in pieces]
    events.append({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}})
    body = "".join(f"data: {json.dumps(event)}\r\n\r\n" for event in events) + "data: [DONE]\n"
    with ChatServer(lambda _: "no", faults=[text(body)]) as server:
        endpoint = EndpointSpec(server.base_url).open(1)
        reply = await endpoint.complete(ask())
        await endpoint.aclose()
    [message] = reply.messages
    assert message["content"] == "Hello" and reply.finish == ("tool_calls",)
    assert message["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a": 1}'}
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (7, 2)

"""Azure OpenAI and the Responses API, against a server that speaks them."""

import json
from typing import Any

import pytest

from engine.chat.address import Address, resolve
from engine.chat.base import ChatRequest
from engine.chat.journal import request_key
from engine.chat.open import EndpointSpec
from search.policy import PolicyError
from search.usage import Usage
from tests.support.chat_faults import text
from tests.support.chat_server import ChatServer

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
PARAMETERS = {"type": "object", "properties": {}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": PARAMETERS}}
MESSAGES = [
    {"role": "system", "content": "Act."},
    {"role": "user", "content": "Go."},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "a room"},
]


def responses(*items: Any, **fields: Any) -> ChatServer:
    usage = {"input_tokens": 9, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 4}}
    answer = {"object": "response", "status": "completed", "error": None, "model": "m-1"}
    server = ChatServer(lambda _: {**answer, "output": list(items), "usage": usage, **fields})
    server.path = "/v1/responses"
    return server


def said(words: str, **part: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": words, **part}]
    return {"type": "message", "role": "assistant", "content": content}


async def ask(spec: EndpointSpec, **sampling: Any) -> Any:
    endpoint = spec.open(1)
    try:
        return await endpoint.complete(ChatRequest("m", MESSAGES, [TOOL], sampling))
    finally:
        await endpoint.aclose()


async def test_a_request_and_a_reply_of_the_responses_api() -> None:
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    call = {"type": "function_call", "call_id": "c2", "name": "look", "arguments": '{"a": 1}'}
    with responses(thought, said("I look."), call) as server:
        spec = EndpointSpec(server.base_url, api="responses")
        reply = await ask(spec, max_tokens=5, seed=1, temperature=0.5, tool_choice="none")
    named = {"name": "look", "arguments": "{}"}
    assert server.requests == [
        {
            "model": "m",
            "store": False,
            "input": [
                {"role": "system", "content": "Act."},
                {"role": "user", "content": "Go."},
                {"type": "function_call", "call_id": "c1", **named},
                {"type": "function_call_output", "call_id": "c1", "output": "a room"},
            ],
            "max_output_tokens": 5,
            "temperature": 0.5,
            "tool_choice": "none",
            "tools": [
                {"type": "function", "strict": False, "name": "look", "parameters": PARAMETERS}
            ],
        }
    ]
    [message] = reply.messages
    assert (message["content"], message["reasoning_content"]) == ("I look.", "Hm.")
    assert message["tool_calls"][0]["id"] == "c2"
    assert message["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a": 1}'}
    assert reply.finish == ("tool_calls",) and reply.usage == Usage(1, 9, 3, 4)
    assert reply.model == "m-1"


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
        ),
    ],
)
async def test_how_a_response_ends_and_where_it_is_cut(fields: Any, finish: str) -> None:
    with responses(said("Action: x\nObservation: y", logprobs=[{"logprob": -0.5}]), **fields) as s:
        spec = EndpointSpec(s.base_url + "/responses")
        reply = await ask(spec, stop=["\nObservation"], logprobs=True)
    assert reply.finish == (finish,) and reply.messages[0]["content"] == "Action: x"
    assert reply.logprobs == (-0.5,)
    assert s.requests[0]["include"] == ["message.output_text.logprobs"]


async def test_what_the_responses_api_refuses() -> None:
    failed = {"status": "failed", "error": {"code": "server_error", "message": "no such model m"}}
    with responses(**failed) as server:
        spec = EndpointSpec(server.base_url, api="responses")
        with pytest.raises(PolicyError, match="no such model m"):
            await ask(spec)
        with pytest.raises(PolicyError, match="--siblings diverse"):
            await ask(spec, n=2)


async def test_a_stream_of_the_responses_api_is_read() -> None:
    done = {"status": "completed", "output": [said("hello")], "usage": {}}
    body = f"event: response.completed\ndata: {json.dumps({'response': done})}\n\n"
    with ChatServer(lambda _: "no", faults=[text(body)]) as server:
        server.path = "/v1/responses"
        reply = await ask(EndpointSpec(server.base_url, api="responses"))
    assert reply.messages[0]["content"] == "hello"


def test_the_apis_have_different_keys_in_the_journal() -> None:
    chat, other = Address.of("http://h/v1"), Address.of("http://h/v1", "responses")
    assert chat.where == "http://h/v1"  # as ever: old journals answer
    request = ChatRequest("m", MESSAGES)
    assert request_key(chat.where, request) != request_key(other.where, request)
    assert Address.of("http://h/v1/responses") == other


@pytest.mark.parametrize(
    ("end", "version"),
    [
        ("", "2024-10-21"),
        ("/openai/", "2024-10-21"),
        ("/openai/deployments/m/chat/completions?api-version=2024-10-21", ""),
    ],
)
async def test_azure_is_asked_by_deployment_and_version(end: str, version: str) -> None:
    server = ChatServer(lambda _: "hello")
    server.path = "/openai/deployments/m/chat/completions"
    with server:
        root = f"http://127.0.0.1:{server.port}"
        spec = EndpointSpec(root + end, "azure-key", api_version=version)
        reply = await ask(spec)
        await spec.check()
    assert reply.messages[0]["content"] == "hello"
    assert server.targets[0].endswith("/chat/completions?api-version=2024-10-21")
    assert server.headers[0]["api-key"] == "azure-key"


async def test_azure_speaks_the_responses_api() -> None:
    with responses(said("hello")) as server:
        server.path = "/openai/responses"
        root = f"http://127.0.0.1:{server.port}"
        spec = EndpointSpec(root, "k", api="responses", api_version="2025-04-01-preview")
        assert (await ask(spec)).messages[0]["content"] == "hello"
    assert server.targets == ["/openai/responses?api-version=2025-04-01-preview"]


def test_the_environment_of_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "OPENAI_API_VERSION"):
        monkeypatch.delenv(name, raising=False)
    url = "https://x.openai.azure.com"
    with pytest.raises(PolicyError, match="needs --api-version"):
        resolve(url)
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    with pytest.raises(PolicyError, match="needs a key: set AZURE_OPENAI_API_KEY"):
        resolve(url)
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure")
    address, key = resolve(url)
    assert key == "azure" and address.azure and address.where == f"{url}/openai"
    assert not resolve("http://127.0.0.1:8000/v1")[0].azure
    own = resolve(f"{url}/openai/v1")
    assert own[1] == "azure" and not own[0].azure

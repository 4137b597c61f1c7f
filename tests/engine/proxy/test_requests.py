"""Requests that no client library would send: each is refused with one line, or goes upstream."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.proxy.app import Proxy
from engine.proxy.ledger import LONGEST_NAME, MOST_MODELS
from engine.proxy.settings import ProxySettings
from tests.support.chat_server import ChatServer, Json

FUNCTION = {"name": "look", "description": "Look.", "parameters": {"type": "object"}}
CHAT: Json = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "a door"},
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "response_format": {"type": "text"},
    "stop": ["."],
    "n": 1,
    "temperature": 0.5,
    "seed": 3,
    "max_tokens": 9,
    "stream": False,
    "stream_options": {"include_usage": True},
    "logprobs": True,
    "metadata": {"a": "b"},
}
RESPONSE: Json = {
    "model": "m",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]},
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "a door"},
        {"type": "message", "role": "assistant", "content": "I look."},
    ],
    "instructions": "Be short.",
    "tools": [{"type": "function", **FUNCTION}],
    "tool_choice": {"type": "function", "name": "look"},
    "text": {"format": {"type": "json_schema", "name": "s", "schema": {}}},
    "reasoning": {"effort": "low"},
    "include": ["reasoning.encrypted_content"],
    "max_output_tokens": 9,
    "stream": False,
}
WRONG: tuple[Any, ...] = (None, 5, "x", [1], {}, {"type": 5})


@pytest.fixture(scope="module")
def upstream() -> Iterator[ChatServer]:
    with ChatServer(lambda request: "hello") as server:
        yield server


@pytest.fixture(scope="module")
def client(upstream: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    journal = tmp_path_factory.mktemp("proxy") / "j.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "none")
        app = Proxy(ProxySettings(journal=journal, base_url=upstream.base_url, attempts=1))
        with TestClient(app, "http://localhost") as client:
            yield client


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("chat/completions", b"{", "the body is not JSON"),
        ("chat/completions", b"[]", "must be a JSON object"),
        ("chat/completions", b"[" * 5000, "the body is not JSON"),
        ("chat/completions", b'{"messages": []}', "model must be"),
        ("chat/completions", b'{"model": "m", "n": 1e999}', "1e999 is too large"),
        ("chat/completions", b'{"model": "m", "n": NaN}', "NaN is no number"),
        ("chat/completions", b'{"model": "m"}', "messages is missing"),
        (
            "chat/completions",
            b'{"model": "m", "messages": []}',
            "messages must be more than nothing, not []",
        ),
        ("chat/completions", b'{"model": "m", "messages": [1]}', "messages[0] must be an object"),
        ("responses", b'{"model": "m", "input": 3}', "input must be a list or a text, not 3"),
        ("responses", b'{"model": "m", "input": "a", "messages": 3}', "a field of chat"),
        ("responses", b'{"model": "m", "input": "a", "conversation": "r"}', "not supported"),
        ("responses", b'{"model": "m", "input": "a", "tools": [{"type": "mcp"}]}', "only functio"),
        ("responses", b'{"model": "m", "input": [{"type": "x"}]}', "items of type 'x'"),
        ("responses", b'{"model": "m", "input": [{}]}', "input[0].role is missing"),
    ],
)
def test_what_is_wrong(path: str, body: bytes, words: str, client: TestClient) -> None:
    answer = client.post(f"/v1/{path}", content=body)
    told = answer.json()["error"]["message"]
    assert answer.status_code == 400 and words in told and "\n" not in told


@pytest.mark.parametrize(("path", "whole"), [("chat/completions", CHAT), ("responses", RESPONSE)])
def test_every_field_with_every_wrong_type(path: str, whole: Json, client: TestClient) -> None:
    """Also those that the proxy lets pass are answered, and never with status 500."""
    assert client.post(f"/v1/{path}", json=whole).status_code == 200
    refused = 0
    for place in places(whole):
        for value in WRONG:
            answer = client.post(f"/v1/{path}", json=changed(whole, place, value))
            assert answer.status_code in (200, 400), (place, value, answer.text)
            if answer.status_code == 400:
                refused += 1
                error = answer.json()["error"]
                named = str(error["param"]).replace("[", ".").replace("]", "").split(".")
                assert named[0] == place[0] and len(error["message"]) < 200, (place, value, error)
                assert "\n" not in error["message"]
    assert refused > 3 * len(list(places(whole)))


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where each value in a JSON value is."""
    if place:
        yield place
    if isinstance(value, dict | list):
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(one, (*place, name))


def changed(whole: Json, place: tuple[Any, ...], value: Any) -> Json:
    """Return a copy of `whole` with another value at a place."""
    copy: Any = json.loads(json.dumps(whole))
    holder = copy
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    return copy  # type: ignore[no-any-return]


def test_names_of_models_are_counted_to_a_limit(client: TestClient) -> None:
    for number in range(MOST_MODELS + 50):
        name = f"{number} " + "long" * 1000
        client.post("/v1/chat/completions", json={"model": name, "messages": []})
    lines = client.get("/metrics").text.splitlines()
    counted = [line for line in lines if line.startswith("treegraft_proxy_requests_total")]
    assert len(counted) == MOST_MODELS + 1 and any("(others)" in line for line in counted)
    assert max(map(len, lines)) < LONGEST_NAME + 100

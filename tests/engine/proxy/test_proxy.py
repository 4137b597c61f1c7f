"""`engine proxy` with the openai client, over a real server: what is paid, kept, refused."""

import json
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from engine.proxy.app import Proxy
from engine.proxy.settings import ProxySettings
from engine.web import WebServer, listen
from tests.support.chat_server import ChatServer, Json, status

PRICES = {"m": {"input": 1000, "output": 1000}}
TOOL = {"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@contextmanager
def proxied(folder: Path, upstream: ChatServer, token: str = "", **more: Any) -> Iterator[str]:
    """Serve a proxy of `upstream`; give its base URL."""
    settings = ProxySettings(journal=folder / "j.db", base_url=upstream.base_url, **more)
    app = Proxy(settings, token)
    with WebServer(app, listen("127.0.0.1", 0), lifespan=True) as server:
        yield f"{server.address}v1"


CLIENTS: list[openai.OpenAI] = []


def client(base_url: str, key: str = "none") -> Any:
    CLIENTS.append(openai.OpenAI(base_url=base_url, api_key=key))
    return CLIENTS[-1]


def ask(base_url: str, words: str = "hi", **more: Any) -> Any:
    message = {"role": "user", "content": words}
    return client(base_url).chat.completions.create(model="m", messages=[message], **more)


def page(base_url: str, name: str) -> str:
    with urllib.request.urlopen(base_url.removesuffix("v1") + name) as reply:
        return str(reply.read().decode())


@pytest.fixture(autouse=True)
def a_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-upstream")
    yield
    while CLIENTS:
        CLIENTS.pop().close()


def echo(request: Json) -> Json:
    said = request["messages"][-1]["content"]
    if request.get("tools"):
        return {"role": "assistant", "content": "I look.", "tool_calls": [CALL]}
    return {"role": "assistant", "content": f"you said {said}"}


def test_a_reply_is_paid_once_and_outlives_the_proxy(tmp_path: Path) -> None:
    with ChatServer(echo) as upstream:
        with proxied(tmp_path, upstream) as url:
            first = ask(url, temperature=0.5, seed=3)
            again = ask(url, temperature=0.5, seed=3)
            others = [
                ask(url, temperature=0.6, seed=3),
                ask(url, temperature=0.5, seed=3, extra_headers={"X-Treegraft-Sample": "1"}),
                ask(url, temperature=0.5, seed=3, extra_body={"top_k": 3}),
            ]
            models = json.loads(page(url, "usage"))["models"]["m"]
        with proxied(tmp_path, upstream) as url:
            later = ask(url, temperature=0.5, seed=3)
        asked = upstream.requests
    assert first == again and first.choices == later.choices and first.id == later.id
    assert first.choices[0].message.content == "you said hi"
    assert len(asked) == 1 + len(others)
    assert asked[0]["seed"] == 3 and asked[3]["top_k"] == 3
    assert (models["requests"], models["paid"], models["from_journal"]) == (5, 4, 1)


def test_streams_and_tool_calls(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": TOOL}]
    with ChatServer(echo) as upstream, proxied(tmp_path, upstream) as url:
        whole = ask(url, tools=tools)
        with client(url).chat.completions.stream(
            model="m",
            messages=[{"role": "user", "content": "hi"}],
            tools=tools,
            stream_options={"include_usage": True},
        ) as stream:
            final = stream.get_final_completion()
        asked = len(upstream.requests)
    assert asked == 1  # whether a reply is streamed makes no other request
    mine, theirs = whole.choices[0], final.choices[0]
    assert mine.message.content == theirs.message.content == "I look."
    assert theirs.message.tool_calls[0].function.name == "look"
    assert theirs.message.tool_calls[0].id == mine.message.tool_calls[0].id == "c1"
    assert mine.finish_reason == theirs.finish_reason
    assert final.usage == whole.usage


@pytest.mark.parametrize("streamed", [False, True])
def test_responses(streamed: bool, tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "model": "m",
        "instructions": "Be short.",
        "max_output_tokens": 50,
        "tools": [{"type": "function", **TOOL, "strict": False}],
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "function_call", "call_id": "c0", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c0", "output": "a door"},
        ],
    }
    with ChatServer(echo) as upstream, proxied(tmp_path, upstream) as url:
        if streamed:
            with client(url).responses.stream(**asked) as stream:
                reply: Any = stream.get_final_response()
        else:
            reply = client(url).responses.create(**asked)
        plain = client(url).responses.create(model="m", input="hi")
        sent = upstream.requests[0]
    assert [message["role"] for message in sent["messages"]] == [
        *("system", "user", "assistant", "tool")
    ]
    assert sent["messages"][2]["tool_calls"][0]["id"] == "c0"
    assert sent["max_completion_tokens"] == 50 and sent["tools"][0]["function"]["name"] == "look"
    assert reply.output_text == "I look." and reply.output[1].name == "look"
    assert reply.usage.total_tokens > 0
    assert plain.output_text == "you said hi"


def test_a_spent_budget_is_not_tried_again_and_counts_the_journal(tmp_path: Path) -> None:
    with ChatServer(echo) as upstream:
        with proxied(tmp_path, upstream, max_calls=2) as url:
            ask(url, "a")
            ask(url, "b")
            with pytest.raises(openai.APIStatusError) as refused:
                ask(url, "c")
            ask(url, "a")  # what is kept costs nothing
        with proxied(tmp_path, upstream, max_calls=2) as url:
            with pytest.raises(openai.APIStatusError):
                ask(url, "c")
            assert ask(url, "b").choices[0].message.content == "you said b"
        with proxied(tmp_path, upstream, max_calls=3) as url:
            ask(url, "c")
        assert len(upstream.requests) == 3
    assert refused.value.status_code == 402 and refused.value.code == "insufficient_quota"


def test_dollars_need_a_price(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text(json.dumps(PRICES))
    more: dict[str, Any] = {"max_usd": 0.001, "prices": tmp_path / "prices.json"}
    with ChatServer(echo) as upstream, proxied(tmp_path, upstream, **more) as url:
        with pytest.raises(openai.BadRequestError, match="no price is known for 'other'"):
            client(url).responses.create(model="other", input="hi")
        ask(url, "a")
        with pytest.raises(openai.APIStatusError, match="the run's usd are spent"):
            ask(url, "b")
        found = json.loads(page(url, "usage"))
        shown = page(url, "")
        assert len(upstream.requests) == 1
    assert found["spent"]["usd"] > 0.001 == found["bounds"]["usd"]
    assert found["models"]["other"]["errors"] == {"no_price": 1}
    assert "insufficient_quota 1" in shown


def test_what_the_upstream_refuses_is_told_once(tmp_path: Path) -> None:
    faults = [status(400), status(429, after=0), status(500)]
    with ChatServer(echo, faults=faults) as upstream, proxied(tmp_path, upstream) as url:
        with pytest.raises(openai.BadRequestError):
            ask(url, "a")
        assert len(upstream.requests) == 1
        assert ask(url, "a").choices[0].message.content == "you said a"  # after two more attempts
        assert len(upstream.requests) == 4


def test_only_who_knows_the_token(tmp_path: Path) -> None:
    with ChatServer(echo) as upstream, proxied(tmp_path, upstream, token="of-clients") as url:
        with pytest.raises(openai.AuthenticationError):
            ask(url)
        message = {"role": "user", "content": "hi"}
        chat = client(url, "of-clients").chat.completions
        chat.create(model="m", messages=[message])
        sent = upstream.headers[0]
        with pytest.raises(urllib.request.HTTPError) as refused:
            foreign = urllib.request.Request(url + "/models", headers={"Host": "evil.example"})
            urllib.request.urlopen(foreign)
        refused.value.close()
    assert refused.value.code == 403
    assert sent["authorization"] == "Bearer sk-of-the-upstream"
    kept = (tmp_path / "j.db").read_bytes()
    with sqlite3.connect(tmp_path / "j.db") as db:
        kept += str(db.execute("SELECT * FROM replies").fetchall()).encode()
    assert b"of-clients" not in kept and b"sk-of-the" not in kept


def test_prometheus_reads_the_figures(tmp_path: Path) -> None:
    with ChatServer(echo) as upstream, proxied(tmp_path, upstream) as url:
        ask(url)
        ask(url)
        ask(url, tools=[{"type": "function", "function": TOOL}])
        upstream.models = ["m"]
        assert [model.id for model in client(url).models.list()] == ["m"]
        lines = page(url, "metrics").splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values['treegraft_proxy_requests_total{model="m"}'] == "3"
    assert values['treegraft_proxy_answers_total{model="m",from="journal"}'] == "1"
    assert values['treegraft_proxy_seconds_bucket{model="m",le="+Inf"}'] == "3"
    assert values['treegraft_proxy_seconds_count{model="m"}'] == "3"
    assert values['treegraft_proxy_tool_calls_total{model="m",result="valid"}'] == "1"
    assert values['treegraft_proxy_valid_call_rate{model="m"}'] == "1.0"

"""Requests and replies as JSON: parsed, refused and formatted."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.chat.base import ChatRequest
from trainer.inference.decoding import Generated, Token
from trainer.serving.openai_api import ApiError, read_request, response_body

HELLO: list[Any] = [{"role": "user", "content": "hello"}]


def test_without_a_bound_a_reply_may_fill_the_context() -> None:
    body = {"model": "m", "messages": HELLO}
    assert read_request(json.dumps(body).encode(), "m", 64).sampling["max_completion_tokens"] == 64
    bounded = read_request(json.dumps(body | {"max_tokens": 3}).encode(), "m", 64)
    assert "max_completion_tokens" not in bounded.sampling


def test_a_tool_call_in_the_reply_is_one_on_the_wire() -> None:
    tool = {"type": "function", "function": {"name": "run", "parameters": {}}}
    text = 'hm <tool_call>{"name": "run", "arguments": {"a": 1}}</tool_call>'
    request = ChatRequest("m", HELLO, [tool], {"logprobs": True})
    reply = Generated(text, "stop", 9, 3, 4, (Token(text, -0.5),))
    first, second = response_body(request, [reply, reply], "f")["choices"]
    assert first["message"]["content"] == "hm"
    (call,) = first["message"]["tool_calls"]
    assert call["function"] == {"name": "run", "arguments": '{"a": 1}'}
    assert call["id"] != second["message"]["tool_calls"][0]["id"]
    assert first["finish_reason"] == "tool_calls"
    assert [one["logprob"] for one in first["logprobs"]["content"]] == [-0.5]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["messages", "tools", "n", "stop", "temperature", "seed", "tool_choice", "stream", "logprobs"]
)


@given(st.dictionaries(NAMES, JSON), st.booleans())
def test_any_json_is_read_or_refused(body: dict[str, Any], whole: bool) -> None:
    sent = {"model": "m", **({"messages": HELLO} if whole else {}), **body}
    try:
        request = read_request(json.dumps(sent).encode(), "m", 64)
    except ApiError as error:
        assert error.status_code in (400, 404)
        return
    assert request.messages
    assert "seed" in request.sampling

"""OpenAI's chat completions on the wire: a client's request read, a reply written.

Of a request, `stream` and `stream_options` say only how the reply is sent. All other fields go to
the upstream unchanged, and belong to the request's key in the journal.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from engine.chat.base import ChatReply, ChatRequest, usage_json
from engine.templates.openai_format import replace_surrogates

SAMPLE = "X-Treegraft-Sample"
"""The header by which a client asks for another reply to the same request: 0, 1, 2, ..."""
_NOT_SENT = ("model", "messages", "tools", "stream", "stream_options")


class WrongRequest(Exception):
    """A request that cannot be answered, in words for its sender.

    Args:
        words: What is wrong, and what to do.
        param: The field that is wrong.
    """

    def __init__(self, words: str, param: str = "") -> None:
        super().__init__(words)
        self.param = param


def decoded(body: bytes) -> dict[str, Any]:
    """Return the body of a request.

    Raises:
        WrongRequest: It is not a JSON object, or names no model.
    """
    try:
        given = replace_surrogates(json.loads(body, parse_constant=_no_number))
    except (ValueError, RecursionError) as error:
        raise WrongRequest(f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise WrongRequest("the body must be a JSON object")
    if not isinstance(given.get("model"), str) or not given["model"]:
        raise WrongRequest("model must be the name of a model", "model")
    return given


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def chat_request(given: Mapping[str, Any], sample: str = "") -> ChatRequest:
    """Return the request that is asked and looked up.

    Args:
        given: The decoded body of a chat completion.
        sample: The value of the header SAMPLE.

    Raises:
        WrongRequest: It has no messages, or asks for what the journal does not keep.
    """
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        raise WrongRequest("messages must be a list of objects with a role", "messages")
    tools = given.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise WrongRequest("tools must be a list of objects", "tools")
    if not isinstance(given.get("stream_options") or {}, dict):
        raise WrongRequest("stream_options must be an object", "stream_options")
    if given.get("logprobs") or given.get("top_logprobs"):
        raise WrongRequest("the journal keeps no log-probabilities: ask without them", "logprobs")
    if sample and not (sample.isascii() and sample.isdigit() and len(sample) < 10):
        raise WrongRequest(f"the header {SAMPLE} must be a number from 0", SAMPLE)
    more = {name: value for name, value in given.items() if name not in _NOT_SENT}
    return ChatRequest(given["model"], messages, tools, more, int(sample or 0))


def _is_message(given: object) -> bool:
    return isinstance(given, dict) and isinstance(given.get("role"), str)


def completion(reply: ChatReply, model: str, created: int) -> dict[str, Any]:
    """Return a reply as a chat completion."""
    return {
        "id": f"chatcmpl-{reply.key[:24]}",
        "object": "chat.completion",
        "created": created,
        "model": reply.model or model,
        "choices": [
            {
                "index": index,
                "message": {"refusal": None, **message},
                "logprobs": None,
                "finish_reason": _finish(reply, index),
            }
            for index, message in enumerate(reply.messages)
        ],
        "usage": usage_json(reply.usage),
    }


def chunks(
    reply: ChatReply, model: str, created: int, with_usage: bool
) -> Iterator[dict[str, Any]]:
    """Yield a whole reply as the chunks of a stream.

    Args:
        reply: The reply.
        model: The model that was asked.
        created: When, in seconds since 1970.
        with_usage: Whether a last chunk says what it cost (`stream_options.include_usage`).
    """
    whole = completion(reply, model, created)
    head = {name: whole[name] for name in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk"

    def chunk(index: int, delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**head, "choices": [choice], **({"usage": None} if with_usage else {})}

    for choice in whole["choices"]:
        index, message = choice["index"], choice["message"]
        yield chunk(index, {"role": "assistant", "content": ""})
        said = {k: v for k, v in message.items() if k not in ("role", "tool_calls") and v}
        if said:
            yield chunk(index, said)
        for number, call in enumerate(message.get("tool_calls") or ()):
            yield chunk(index, {"tool_calls": [{"index": number, **call}]})
        yield chunk(index, {}, choice["finish_reason"])
    if with_usage:
        yield {**head, "choices": [], "usage": whole["usage"]}


def _finish(reply: ChatReply, index: int) -> str:
    given = reply.finish[index] if index < len(reply.finish) else ""
    return given or ("tool_calls" if reply.messages[index].get("tool_calls") else "stop")

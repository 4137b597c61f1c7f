"""OpenAI's chat completions on the wire: a client's request read, a reply written.

Of a request, `stream` and `stream_options` say only how the reply is sent. All other fields go to
the upstream unchanged, and belong to the request's key in the journal.
"""

import json
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from engine.chat.base import ChatReply, ChatRequest, usage_json
from engine.proxy.forms import CHAT, WrongRequest, check
from engine.templates.openai_format import replace_surrogates

SAMPLE = "X-Treegraft-Sample"
"""The header by which a client asks for another reply to the same request: 0, 1, 2, ..."""
_OF_CHUNKS = {"index", "message", "finish_reason"}
_NOT_SENT = ("model", "messages", "tools", "stream", "stream_options")


def decoded(body: bytes) -> dict[str, Any]:
    """Return the body of a request.

    Raises:
        WrongRequest: It is not a JSON object, or names no model.
    """
    try:
        given = replace_surrogates(json.loads(body, parse_constant=_no_number, parse_float=_finite))
    except (ValueError, RecursionError) as error:
        raise WrongRequest(f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise WrongRequest("the body must be a JSON object")
    if not isinstance(given.get("model"), str) or not given["model"]:
        raise WrongRequest("model must be the name of a model", "model")
    return given


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _finite(digits: str) -> float:
    if not isfinite(number := float(digits)):
        raise ValueError(f"{digits:.20} is too large a number")
    return number


def chat_request(given: Mapping[str, Any], sample: str = "") -> ChatRequest:
    """Return the request that is asked and looked up.

    Args:
        given: The decoded body of a chat completion.
        sample: The value of the header SAMPLE.

    Raises:
        WrongRequest: It has no messages, or a field has another type than OpenAI's.
    """
    check(CHAT, given)
    if sample and not (sample.isascii() and sample.isdigit() and len(sample) < 10):
        raise WrongRequest(f"the header {SAMPLE} must be a number from 0", SAMPLE)
    more = {name: value for name, value in given.items() if name not in _NOT_SENT}
    tools = given.get("tools") or []
    return ChatRequest(given["model"], given["messages"], tools, more, int(sample or 0))


def completion(reply: ChatReply, model: str, created: int) -> dict[str, Any]:
    """Return a reply as a chat completion."""
    more = [{"message": {}, **one} for one in reply.unread.get("choices") or ()]
    more += [{"message": {}}] * (len(reply.messages) - len(more))
    return {
        **reply.unread,
        "id": f"chatcmpl-{reply.key[:24]}",
        "object": "chat.completion",
        "created": created,
        "model": reply.model or model,
        "choices": [
            {
                "logprobs": None,
                **other,
                "index": index,
                "message": {"refusal": None, **other["message"], **message},
                "finish_reason": _finish(reply, index),
            }
            for index, (message, other) in enumerate(zip(reply.messages, more, strict=True))
        ],
        "usage": usage(reply),
    }


def usage(reply: ChatReply) -> dict[str, Any]:
    """Return the usage of a chat completion, with the details that the upstream gave."""
    given, known = reply.unread.get("usage"), usage_json(reply.usage)
    if not isinstance(given, dict):
        return known
    details = {name: one for name, one in given.items() if isinstance(one, dict)}
    others = {name: one for name, one in given.items() if not name.endswith("_details")}
    prompt = details.get("prompt_tokens_details", {}) | known["prompt_tokens_details"]
    return others | details | known | {"prompt_tokens_details": prompt}


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
    head = {name: value for name, value in whole.items() if name not in ("choices", "usage")}
    head["object"] = "chat.completion.chunk"

    def chunk(
        index: int, delta: Mapping[str, Any], finish: str | None = None, **more: Any
    ) -> dict[str, Any]:
        choice = {"logprobs": None, **more, "index": index, "delta": delta}
        choice["finish_reason"] = finish
        return {**head, "choices": [choice], **({"usage": None} if with_usage else {})}

    for choice in whole["choices"]:
        index, message = choice["index"], choice["message"]
        more = {name: choice[name] for name in choice.keys() - _OF_CHUNKS}
        yield chunk(index, {"role": "assistant", "content": ""}, **more)
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

"""OpenAI's chat completions as JSON: parse and check requests, format replies.

An unsupported parameter that would change the reply is an error and never ignored: a caller that
asks for a JSON schema and gets text finds out too late.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException

from engine.chat.base import ChatRequest, usage_json
from engine.templates.base import Message
from engine.templates.openai_format import replace_surrogates
from trainer.inference.decoding import Generated, Token
from trainer.inference.local_chat import message_of, usage_of

MAX_CHOICES = 128


class ApiError(HTTPException):
    """A request that cannot be answered.

    Args:
        status: the HTTP status.
        message: for a person.
        more: OpenAI's `code`, and `param`, the name of the wrong parameter.
    """

    def __init__(self, status: int, message: str, **more: str) -> None:
        super().__init__(status, message)
        self.more = more


def read_request(body: bytes, name: str, context: int) -> ChatRequest:
    """Parse the body of `POST /v1/chat/completions`.

    Args:
        body: JSON.
        name: the name of the only model.
        context: maximum tokens of prompt and reply. A reply without a limit may fill it.

    Raises:
        ApiError: the request is invalid, or has a parameter that is not supported.
    """
    given = {key: value for key, value in _object(body).items() if value is not None}
    if (model := given.pop("model", None)) != name:
        message = f"there is no model {model!r} here, only {name!r}"
        raise ApiError(404, message, code="model_not_found", param="model")
    messages = [_message(message) for message in _list(given.pop("messages", None), "messages")]
    if not messages:
        raise _wrong("messages", "a list of at least one message")
    tools = [_tool(tool) for tool in _list(given.pop("tools", []), "tools")]
    if given.get("tool_choice") == "none":
        tools = []
        del given["tool_choice"]
    sampling = _sampling(given)
    if not {"max_tokens", "max_completion_tokens"} & set(sampling):
        sampling["max_completion_tokens"] = context
    # Without a seed, OpenAI samples a new reply for every request.
    sampling.setdefault("seed", secrets.randbits(31))
    return ChatRequest(name, messages, tools, sampling)


def response_body(
    request: ChatRequest, replies: Sequence[Generated], fingerprint: str
) -> dict[str, Any]:
    """Return the response to `request`, as JSON. `fingerprint` identifies the weights."""
    id = secrets.token_hex(12)
    return {
        "id": f"chatcmpl-{id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "system_fingerprint": fingerprint,
        "choices": [
            _choice(request, index, reply, f"{id[:8]}_{index}")
            for index, reply in enumerate(replies)
        ],
        "usage": usage_json(usage_of(replies)),
    }


def _choice(request: ChatRequest, index: int, reply: Generated, id: str) -> dict[str, Any]:
    message = message_of(reply.text, bool(request.tools))
    for call in message.get("tool_calls", []):
        call["id"] = f"{call['id']}_{id}"  # must be unique within a conversation
    scored = request.sampling.get("logprobs")
    return {
        "index": index,
        "message": {**message, "refusal": None},
        "logprobs": {"content": list(map(_token_json, reply.tokens)), "refusal": None}
        if scored
        else None,
        "finish_reason": "tool_calls" if "tool_calls" in message else reply.finish,
    }


def _token_json(token: Token) -> dict[str, Any]:
    utf8 = list(token.text.encode("utf-8", "replace"))
    return {"token": token.text, "logprob": token.logprob, "bytes": utf8, "top_logprobs": []}


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = replace_surrogates(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise ApiError(400, "the body must be a JSON object")
    return given


def _list(value: object, param: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise _wrong(param, "a list")


def _message(given: object) -> Message:
    if not isinstance(given, dict) or not isinstance(given.get("role"), str):
        raise _wrong("messages", "a list of objects with a role")
    content = given.get("content")
    if isinstance(content, list):
        content = "".join(map(_text, content))
    if not (content is None or isinstance(content, str)):
        raise _wrong("messages", "a list of objects whose content is text")
    calls = given.get("tool_calls") or []
    if not all(
        isinstance(call, dict) and _is_function(call) for call in _list(calls, "tool_calls")
    ):
        raise _wrong("tool_calls", "a list of calls of functions")
    return {**given, "content": content}


def _text(part: object) -> str:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    raise _wrong("messages", "a list of messages of text: this model reads only text")


def _tool(given: object) -> dict[str, Any]:
    if isinstance(given, dict) and given.get("type") == "function" and _is_function(given):
        return given
    raise _wrong("tools", "a list of functions")


def _is_function(holder: Mapping[str, Any]) -> bool:
    function = holder.get("function")
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _sampling(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the supported parameters of `given`; raise ApiError if another one has an effect."""
    for name, value in given.items():
        if name in _SUPPORTED:
            is_valid, expected = _SUPPORTED[name]
            if not is_valid(value):
                raise _wrong(name, expected)
        elif name not in _IGNORED and not _same(value, _ACCEPTED_VALUES.get(name)):
            only = (
                f"; only {json.dumps(_ACCEPTED_VALUES[name])} is"
                if name in _ACCEPTED_VALUES
                else ""
            )
            message = f"{name} is not supported here{only}"
            raise ApiError(400, message, code="unsupported_parameter", param=name)
    return {name: value for name, value in given.items() if name in _SUPPORTED}


def _wrong(param: str, expected: str) -> ApiError:
    return ApiError(400, f"{param} must be {expected}", code="invalid_value", param=param)


def _same(value: object, other: object) -> bool:
    """Return whether both are the same JSON value: true is not 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _number(low: float, high: float) -> Callable[[object], bool]:
    def is_valid(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return low <= value <= high  # False for NaN

    return is_valid


def _integer(low: int, high: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _is_stop(value: object) -> bool:
    texts = value if isinstance(value, list) else [value]
    return all(isinstance(text, str) and text for text in texts)


_MAX_INTEGER = 2**53
_SUPPORTED: dict[str, tuple[Callable[[object], bool], str]] = {
    "temperature": (_number(0, _MAX_INTEGER), "a number of at least 0"),
    "top_p": (_number(0, 1), "a number from 0 to 1"),
    "n": (_integer(1, MAX_CHOICES), f"an integer from 1 to {MAX_CHOICES}"),
    "max_tokens": (_integer(1, _MAX_INTEGER), "an integer of at least 1"),
    "max_completion_tokens": (_integer(1, _MAX_INTEGER), "an integer of at least 1"),
    "stop": (_is_stop, "a non-empty string or a list of non-empty strings"),
    "seed": (_integer(-_MAX_INTEGER, _MAX_INTEGER), "an integer"),
    "logprobs": (lambda value: isinstance(value, bool), "true or false"),
}
_ACCEPTED_VALUES: dict[str, Any] = {
    "stream": False,
    "top_logprobs": 0,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logit_bias": {},
    "parallel_tool_calls": True,
    "response_format": {"type": "text"},
    "tool_choice": "auto",
}
"""Unsupported parameters, each with the value that changes nothing."""
_IGNORED = {
    *("user", "metadata", "store", "service_tier", "prompt_cache_key", "safety_identifier"),
    *("stream_options", "prompt_cache_retention"),
}

"""OpenAI's chat completions on the wire: a request's JSON checked and read, replies written.

What would change the reply and is not done here is refused, never ignored: a caller that asks for
a JSON schema, and gets text, finds out too late.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.chat.base import ChatRequest
from engine.templates.base import Message
from engine.templates.openai_format import replace_surrogates
from trainer.inference.decoding import Generated, Token
from trainer.inference.local_chat import message_of, usage_of

MOST_CHOICES = 128


class Refused(Exception):
    """A request that cannot be answered, in OpenAI's terms: an HTTP status, and words to show.

    more: `code`, and `param`, the parameter that is at fault.
    """

    def __init__(self, status: int, words: str, **more: str) -> None:
        super().__init__(words)
        self.status, self.more = status, more


def read(body: bytes, name: str, context: int) -> ChatRequest:
    """The request in a body of `POST /v1/chat/completions`, to the model called `name`.

    context: tokens of prompt and reply, at most: a reply without a bound may fill it.

    Raises:
        Refused
    """
    given = {key: value for key, value in _object(body).items() if value is not None}
    if (model := given.pop("model", None)) != name:
        words = f"there is no model {model!r} here, only {name!r}"
        raise Refused(404, words, code="model_not_found", param="model")
    messages = [_message(message) for message in _listed(given.pop("messages", None), "messages")]
    if not messages:
        raise _wrong("messages", "a list of at least one message")
    tools = [_tool(tool) for tool in _listed(given.pop("tools", []), "tools")]
    if given.get("tool_choice") == "none":
        tools = []
        del given["tool_choice"]
    sampling = _sampling(given)
    if not {"max_tokens", "max_completion_tokens"} & set(sampling):
        sampling["max_completion_tokens"] = context
    # OpenAI draws anew at every request, unless told how.
    sampling.setdefault("seed", secrets.randbits(31))
    return ChatRequest(name, messages, tools, sampling)


def answer(request: ChatRequest, replies: Sequence[Generated], fingerprint: str) -> dict[str, Any]:
    """The body that answers `request`. fingerprint: of the weights."""
    id = secrets.token_hex(12)
    usage = usage_of(replies)
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
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        },
    }


def _choice(request: ChatRequest, index: int, reply: Generated, id: str) -> dict[str, Any]:
    message = message_of(reply.text, bool(request.tools))
    for call in message.get("tool_calls", []):
        call["id"] = f"{call['id']}_{id}"  # no two of a conversation may be the same
    asked = request.sampling.get("logprobs")
    return {
        "index": index,
        "message": {**message, "refusal": None},
        "logprobs": {"content": list(map(_scored, reply.tokens)), "refusal": None}
        if asked
        else None,
        "finish_reason": "tool_calls" if "tool_calls" in message else reply.finish,
    }


def _scored(token: Token) -> dict[str, Any]:
    shown = list(token.text.encode("utf-8", "replace"))
    return {"token": token.text, "logprob": token.logprob, "bytes": shown, "top_logprobs": []}


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = replace_surrogates(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise Refused(400, "the body must be a JSON object")
    return given


def _listed(value: object, name: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise _wrong(name, "a list")


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
        isinstance(call, dict) and _is_function(call) for call in _listed(calls, "tool_calls")
    ):
        raise _wrong("tool_calls", "a list of calls of functions")
    return {**given, "content": content}


def _text(part: object) -> str:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    raise _wrong("messages", "a list of messages of text: this model reads nothing else")


def _tool(given: object) -> dict[str, Any]:
    if isinstance(given, dict) and given.get("type") == "function" and _is_function(given):
        return given
    raise _wrong("tools", "a list of functions")


def _is_function(holder: Mapping[str, Any]) -> bool:
    function = holder.get("function")
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _sampling(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are done here, once nothing is asked that is not."""
    for name, value in given.items():
        if name in _DONE:
            holds, words = _DONE[name]
            if not holds(value):
                raise _wrong(name, words)
        elif name not in _WITHOUT_EFFECT and not _same(value, _ONLY.get(name)):
            only = f", other than as {json.dumps(_ONLY[name])}" if name in _ONLY else ""
            words = f"{name} is not supported here{only}"
            raise Refused(400, words, code="unsupported_parameter", param=name)
    return {name: value for name, value in given.items() if name in _DONE}


def _wrong(name: str, words: str) -> Refused:
    return Refused(400, f"{name} must be {words}", code="invalid_value", param=name)


def _same(value: object, other: object) -> bool:
    """Whether they are the same JSON: True is not 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _number(least: float, most: float) -> Callable[[object], bool]:
    def holds(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return least <= value <= most  # which NaN is not

    return holds


def _whole(least: int, most: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _stops(value: object) -> bool:
    texts = value if isinstance(value, list) else [value]
    return all(isinstance(text, str) and text for text in texts)


_HUGE = 2**53
_DONE: dict[str, tuple[Callable[[object], bool], str]] = {
    "temperature": (_number(0, _HUGE), "a number from 0"),
    "top_p": (_number(0, 1), "a number from 0 to 1"),
    "n": (_whole(1, MOST_CHOICES), f"a whole number from 1 to {MOST_CHOICES}"),
    "max_tokens": (_whole(1, _HUGE), "a whole number from 1"),
    "max_completion_tokens": (_whole(1, _HUGE), "a whole number from 1"),
    "stop": (_stops, "a text or a list of texts, none of them empty"),
    "seed": (_whole(-_HUGE, _HUGE), "a whole number"),
    "logprobs": (lambda value: isinstance(value, bool), "true or false"),
}
_ONLY: dict[str, Any] = {
    "stream": False,
    "top_logprobs": 0,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logit_bias": {},
    "parallel_tool_calls": True,
    "response_format": {"type": "text"},
    "tool_choice": "auto",
}
"""Parameters that may be given, since so they change nothing."""
_WITHOUT_EFFECT = {
    *("user", "metadata", "store", "service_tier", "prompt_cache_key", "safety_identifier"),
    *("stream_options", "prompt_cache_retention"),
}

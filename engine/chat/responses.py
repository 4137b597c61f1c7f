"""OpenAI's Responses API: a chat request as one of its requests, and its answer as a chat's.

It has no `n`, `stop` or `seed`: several choices are refused, a reply is cut at a stop string here,
and the seed is left out. Nothing is stored at the server (`store` is false). What the model thought
is read if the server shows it, and not sent back.
"""

from collections.abc import Mapping
from typing import Any

from search.policy import PolicyError

_RENAMED = {"max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens"}
_LEFT_OUT = frozenset({"stop", "seed", "n", "logprobs", "reasoning_effort", "tool_choice", "tools"})


def to_responses(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chat request's body as one for the Responses API.

    Raises:
        PolicyError: it asks for several choices.
    """
    if (body.get("n") or 1) > 1:
        raise PolicyError(
            "the Responses API gives one choice a request (no n): use --siblings diverse"
        )
    sent: dict[str, Any] = {"model": body["model"], "store": False}
    sent["input"] = [item for message in body["messages"] for item in _items(message)]
    for name, value in body.items():
        if name not in _LEFT_OUT and name not in ("model", "messages"):
            sent[_RENAMED.get(name, name)] = value
    if tools := body.get("tools"):
        sent["tools"] = [
            {"type": "function", "strict": False, **tool["function"]}
            if "function" in tool
            else tool
            for tool in tools
        ]
    if choice := body.get("tool_choice"):
        named = choice.get("function") if isinstance(choice, dict) else None
        sent["tool_choice"] = {"type": "function", "name": named["name"]} if named else choice
    if body.get("logprobs"):
        sent["include"] = ["message.output_text.logprobs"]
    if effort := body.get("reasoning_effort"):
        sent["reasoning"] = {"effort": effort}
    return sent


def _items(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a message as input items: a call and its result are items of their own."""
    content = message.get("content") or ""
    if message["role"] == "tool":
        call_id = message.get("tool_call_id") or ""
        return [{"type": "function_call_output", "call_id": call_id, "output": content}]
    items: list[dict[str, Any]] = []
    calls = message.get("tool_calls") or []
    if content or not calls:
        items.append({"role": message["role"], "content": content})
    for call in calls:
        function = call["function"]
        named = {"name": function["name"], "arguments": function["arguments"]}
        items.append({"type": "function_call", "call_id": call.get("id") or "", **named})
    return items


def to_chat(answer: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer of the Responses API as a chat's; one without `output` as it is.

    Args:
        answer: the decoded answer.
        body: the chat request.
    """
    items = answer.get("output")
    if not isinstance(items, list) or answer.get("status") in ("failed", "cancelled"):
        failed = answer.get("error") or f"the response's status is {answer.get('status')}"
        return {**answer, "error": failed} if "status" in answer else dict(answer)
    message: dict[str, Any] = {"role": "assistant", "content": None}
    logprobs: list[Any] = []
    for item in items:
        if isinstance(item, dict):
            _read(item, message, logprobs)
    if isinstance(message["content"], str):
        message["content"] = _cut(message["content"], body.get("stop"))
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer, message)}
    if logprobs:
        choice["logprobs"] = {"content": logprobs}
    usage = _usage(answer.get("usage"))
    return {"model": answer.get("model"), "choices": [choice], "usage": usage}


def _read(item: dict[str, Any], message: dict[str, Any], logprobs: list[Any]) -> None:
    """Add an output item to the message."""
    kind = item.get("type")
    if kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id") or item.get("id") or "", "type": "function"}
        message.setdefault("tool_calls", []).append({**call, "function": function})
        return
    for part in [*_list(item.get("summary")), *_list(item.get("content"))]:
        text = part.get("text") if isinstance(part, dict) else None
        if kind == "reasoning" and isinstance(text, str):
            message["reasoning_content"] = message.get("reasoning_content", "") + text
        elif kind == "message" and isinstance(text, str):
            message["content"] = (message["content"] or "") + text
            logprobs += _list(part.get("logprobs"))
        elif kind == "message" and isinstance(part, dict) and part.get("refusal"):
            message["refusal"] = str(part["refusal"])


def _list(given: object) -> list[Any]:
    return given if isinstance(given, list) else []


def _finish(answer: Mapping[str, Any], message: Mapping[str, Any]) -> str:
    if answer.get("status") == "incomplete":
        details = answer.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else ""
        return "content_filter" if reason == "content_filter" else "length"
    return "tool_calls" if message.get("tool_calls") else "stop"


def _cut(text: str, stop: Any) -> str:
    """Return `text` up to the first of the stop strings."""
    for one in [stop] if isinstance(stop, str) else stop or []:
        text = text.partition(one)[0] if one else text
    return text


def _usage(raw: Any) -> dict[str, Any]:
    raw = raw if isinstance(raw, dict) else {}
    return {
        "prompt_tokens": raw.get("input_tokens"),
        "completion_tokens": raw.get("output_tokens"),
        "prompt_tokens_details": raw.get("input_tokens_details"),
        "completion_tokens_details": raw.get("output_tokens_details"),
    }

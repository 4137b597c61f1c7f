"""OpenAI's Responses API on the wire: a request read as a chat's, a reply written as a response.

`engine.chat.responses` is the other direction: how a chat request is asked of such an endpoint.
What needs a server that remembers (`previous_response_id`, `background`) is refused, and so are
tools that are not functions.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from engine.chat.base import ChatReply
from engine.proxy.forms import RESPONSES, WrongRequest, check
from engine.proxy.wire import usage

_REFUSED = ("previous_response_id", "background", "conversation", "prompt", "top_logprobs")
_OF_CHATS = (
    "messages",
    "response_format",
    "reasoning_effort",
    "max_completion_tokens",
    "functions",
)
_READ = ("model", "input", "instructions", "tools", "tool_choice", "reasoning", "text", "include")
_RENAMED = {"max_output_tokens": "max_completion_tokens"}
_DROPPED = ("stream", "stream_options", "store", "truncation", *_REFUSED)
Json = dict[str, Any]


def to_chat(given: Mapping[str, Any]) -> Json:
    """Return the body of a response's request as a chat completion's.

    Raises:
        WrongRequest: It asks for what a chat completion cannot give.
    """
    _check(given)
    body: Json = {"model": given["model"], "messages": _messages(given)}
    for name, value in given.items():
        if name not in (*_READ, *_DROPPED) and value is not None:
            body[_RENAMED.get(name, name)] = value
    if tools := given.get("tools"):
        body["tools"] = [_tool(tool) for tool in tools]
    choice = given.get("tool_choice")
    if isinstance(choice, dict):
        choice = {"type": "function", "function": {"name": choice.get("name")}}
    for name, value in (("tool_choice", choice), ("response_format", _format(given))):
        if value:
            body[name] = value
    effort = (given.get("reasoning") or {}).get("effort")
    return body | ({"reasoning_effort": effort} if effort else {})


def _check(given: Mapping[str, Any]) -> None:
    check(RESPONSES, given)
    for name in _REFUSED:
        if given.get(name):
            raise WrongRequest(f"{name} is not supported here: send the whole input", name)
    for name in _OF_CHATS:
        if name in given:
            raise WrongRequest(f"{name} is a field of chat completions, not of responses", name)
    if unknown := [one for one in given.get("include") or () if "encrypted" not in str(one)]:
        raise WrongRequest(f"include {unknown[0]!r} is not supported here", "include")


def _messages(given: Mapping[str, Any]) -> list[Json]:
    """Return instructions and input items as messages; calls that follow each other are one."""
    items = given["input"]
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    messages: list[Json] = []
    if instructions := given.get("instructions"):
        messages.append({"role": "system", "content": instructions})
    for item in items:
        kind = item.get("type") or "message"
        if kind == "message":
            messages.append({"role": item.get("role"), "content": _content(item.get("content"))})
        elif kind == "function_call":
            call = {"id": item.get("call_id"), "type": "function"}
            function = {"name": item.get("name"), "arguments": item.get("arguments")}
            if not (messages and messages[-1]["role"] == "assistant"):
                messages.append({"role": "assistant", "content": None})
            messages[-1].setdefault("tool_calls", []).append({**call, "function": function})
        elif kind == "function_call_output":
            output = _content(item.get("output"))
            call_id = item.get("call_id")
            messages.append({"role": "tool", "tool_call_id": call_id, "content": output})
        elif kind != "reasoning":  # it has no place in a chat
            raise WrongRequest(f"input items of type {kind!r} are not supported here", "input")
    return messages


def _content(given: object) -> Any:
    """Return the content of an item as a message's: a text, or parts if there is an image."""
    if not isinstance(given, list):
        return given
    parts = [_part(part) for part in given]
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part(given: Json) -> Json:
    kind = given["type"]
    if kind in ("input_text", "output_text", "text"):
        return {"type": "text", "text": given["text"]}
    if kind == "refusal":
        return {"type": "text", "text": str(given.get("refusal"))}
    if kind == "input_image":
        return {"type": "image_url", "image_url": {"url": given["image_url"]}}
    raise WrongRequest(f"parts of type {kind!r} are not supported here", "input")


def _tool(given: Json) -> Json:
    if given["type"] != "function":
        words = f"tools of type {given['type']!r} are not supported here, only functions"
        raise WrongRequest(words, "tools")
    kept = ("name", "description", "parameters", "strict")
    return {
        "type": "function",
        "function": {name: given[name] for name in kept if given.get(name) is not None},
    }


def _format(given: Mapping[str, Any]) -> Json | None:
    wanted = (given.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_schema":
        schema = {name: value for name, value in wanted.items() if name != "type"}
        return {"type": "json_schema", "json_schema": schema}
    return {"type": wanted["type"]} if wanted.get("type") not in (None, "text") else None


def response(reply: ChatReply, given: Mapping[str, Any], created: int) -> Json:
    """Return a reply as a response.

    Args:
        reply: The reply; a response has one choice.
        given: The request's body.
        created: When, in seconds since 1970.
    """
    id, message, used = reply.key[:24], reply.messages[0], reply.usage
    finish = reply.finish[0] if reply.finish else ""
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(finish)
    status = "incomplete" if cut else "completed"
    thought = message.get("reasoning_content") or message.get("reasoning")
    summary = [{"type": "summary_text", "text": thought}]
    output: list[Json] = []
    if thought:
        output.append({"id": f"rs_{id}", "type": "reasoning", "summary": summary})
    if message.get("content") or message.get("refusal") or not message.get("tool_calls"):
        text: Json = {
            "type": "output_text",
            "text": message.get("content") or "",
            "annotations": [],
        }
        refusal = {"type": "refusal", "refusal": message.get("refusal")}
        part = refusal if message.get("refusal") else text
        output.append(
            {"id": f"msg_{id}", "type": "message", "role": "assistant", "status": status}
            | {"content": [part]}
        )
    for number, call in enumerate(message.get("tool_calls") or ()):
        output.append(
            {
                "id": f"fc_{id}_{number}",
                "type": "function_call",
                "call_id": call.get("id") or f"call_{id}_{number}",
                "name": call["function"]["name"],
                "arguments": call["function"]["arguments"],
                "status": "completed",
            }
        )
    asked = ("instructions", "max_output_tokens", "temperature", "top_p", "metadata")
    details = usage(reply).get("completion_tokens_details") or {}
    return {
        "id": f"resp_{id}",
        "object": "response",
        "created_at": created,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": cut} if cut else None,
        "model": reply.model or given["model"],
        "output": output,
        "parallel_tool_calls": given.get("parallel_tool_calls", True),
        "tool_choice": given.get("tool_choice") or "auto",
        "tools": given.get("tools") or [],
        **{name: given.get(name) for name in asked},
        "usage": {
            "input_tokens": used.prompt_tokens,
            "input_tokens_details": {"cached_tokens": used.cached_tokens},
            "output_tokens": used.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0} | details,
            "total_tokens": used.prompt_tokens + used.completion_tokens,
        },
    }


def events(whole: Json) -> Iterator[Json]:
    """Yield a whole response as the events of a stream, numbered."""
    for number, event in enumerate(_events(whole)):
        yield {**event, "sequence_number": number}


def _events(whole: Json) -> Iterator[Json]:
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(whole["output"]):
        place = {"output_index": index, "item_id": item["id"]}
        empty: Json = {"content": []} if item["type"] == "message" else {"arguments": ""}
        started = {**item, "status": "in_progress", **empty}
        if item["type"] == "reasoning":
            started = {**item, "summary": []}
        yield {"type": "response.output_item.added", "output_index": index, "item": started}
        if item["type"] == "message":
            yield from _part_events(item["content"][0], {**place, "content_index": 0})
        elif item["type"] == "function_call":
            said = item["arguments"]
            kind = "response.function_call_arguments"
            yield {"type": f"{kind}.delta", **place, "delta": said}
            yield {"type": f"{kind}.done", **place, "name": item["name"], "arguments": said}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{whole['status']}", "response": whole}


def _part_events(part: Json, place: Json) -> Iterator[Json]:
    name = "text" if part["type"] == "output_text" else "refusal"
    kind = f"response.{part['type']}"
    yield {"type": "response.content_part.added", **place, "part": {**part, name: ""}}
    yield {"type": f"{kind}.delta", **place, "delta": part[name], "logprobs": []}
    yield {"type": f"{kind}.done", **place, name: part[name], "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": part}

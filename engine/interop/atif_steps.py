"""Messages as the steps of ATIF, and back.

ATIF is the Agent Trajectory Interchange Format of Harbor (its RFC 0001). An agent's step holds the
reply, its calls and their results; what else is said is a step of the user or of the system. What
ATIF has no field for stands in a step's `extra`, under this project's name.
"""

from collections.abc import Iterator, Mapping, Sequence
from json import dumps, loads
from typing import Any

from engine.errors import UsageError
from engine.interop.conversation import Record
from engine.templates.base import Message
from environments.types import text_of

VERSION = "ATIF-v1.7"
OURS = "treegraft"
"""Key of `extra` under which stands what is ours."""
OTHER_STEPS = "other_steps"
"""Key of `Conversation.kept`: the facts of steps that are not the agent's, by number."""
FACTS = (
    *("timestamp", "model_name", "reasoning_effort", "metrics", "llm_call_count", "extra"),
    "is_copied_context",
)
"""Fields of a step that no message has."""
_SOURCES = {"system": "system", "developer": "system", "assistant": "agent"}
_ROLES = {"system": "system", "user": "user", "agent": "assistant"}


def to_steps(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the steps, without numbers, that say what `messages` say.

    Each reply takes the results of its calls. Where the steps would be read as other messages (the
    arguments were spaced otherwise, a content was null), the first step holds what they were.
    """
    steps: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] in ("tool", "function") and steps and steps[-1]["source"] == "agent":
            result = {"content": message.get("content")}
            known = {call["tool_call_id"] for call in steps[-1].get("tool_calls", ())}
            if (id := message.get("tool_call_id")) in known:
                result["source_call_id"] = id
            steps[-1].setdefault("observation", {"results": []})["results"].append(result)
        else:
            steps.append(_step(message))
    read = [message for step in steps for message in _messages(step, "")]
    if read == list(messages):
        return steps
    if read[1:] == list(messages[1:]):
        steps[0]["extra"] = {OURS: {"first": messages[0]}}
        return steps
    for step in steps:
        step["extra"] = {OURS: {"messages": []}}
    steps[0]["extra"] = {OURS: {"messages": list(messages)}}
    return steps


def to_messages(step: Record, place: str) -> list[Message]:
    """Return the messages of a step.

    Raises:
        UsageError: it is none of ATIF's.
    """
    ours = ours_in(step)
    if isinstance(ours.get("messages"), list):
        return list(ours["messages"])
    first, *rest = _messages(step, place)
    return [ours.get("first", first), *rest]


def ours_in(step: Record) -> Record:
    """Return what this project wrote into the `extra` of a step or of a trajectory."""
    extra = step.get("extra")
    found = extra.get(OURS) if isinstance(extra, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _step(message: Message) -> dict[str, Any]:
    step: dict[str, Any] = {
        "source": _SOURCES.get(message["role"], "user"),
        "message": _content(message),
    }
    if reasoning := message.get("reasoning_content"):
        step["reasoning_content"] = str(reasoning)
    calls = [_call(call) for call in message.get("tool_calls") or ()]
    if calls and all(calls):
        step["tool_calls"] = calls
    return step


def _content(message: Message) -> Any:
    """Return the content as ATIF has it: a text, or parts that are all texts."""
    content = message.get("content")
    parts = content if isinstance(content, list) and content else [None]
    texts = all(isinstance(part, dict) and set(part) == {"type", "text"} for part in parts)
    return content if texts else text_of(message)


def _call(call: Any) -> dict[str, Any] | None:
    """Return a call as ATIF has it; None if its arguments are no object."""
    function = call["function"]
    try:
        arguments = loads(function.get("arguments") or "{}")
    except (TypeError, ValueError):
        arguments = function.get("arguments")
    if not isinstance(arguments, dict):
        return None
    name = function["name"]
    return {"tool_call_id": str(call.get("id")), "function_name": name, "arguments": arguments}


def _messages(step: Record, place: str) -> Iterator[Message]:
    role, content = _ROLES.get(str(step.get("source"))), step.get("message")
    if role is None or not isinstance(content, str | list):
        raise UsageError(f"{place}: a step needs a source (system, user, agent) and a message")
    message: Message = {"role": role, "content": content}
    if reasoning := step.get("reasoning_content"):
        message["reasoning_content"] = reasoning
    if calls := step.get("tool_calls"):
        message["tool_calls"] = [_openai_call(call, place) for call in _list(calls, place)]
    yield message
    observation = step.get("observation") or {}
    if not isinstance(observation, Mapping):
        raise UsageError(f"{place}: its observation is not an object")
    for result in _list(observation.get("results") or [], place):
        if not isinstance(result, Mapping):
            raise UsageError(f"{place}: a result of its observation is not an object")
        text = result.get("content")
        said = {"content": "" if text is None else text}
        if id := result.get("source_call_id"):
            yield {"role": "tool", "tool_call_id": id, **said}
        else:
            yield {"role": "user", **said}


def _list(value: Any, place: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise UsageError(f"{place}: its calls or results are not a list")


def _openai_call(call: Any, place: str) -> dict[str, Any]:
    if not isinstance(call, Mapping) or not isinstance(call.get("function_name"), str):
        raise UsageError(f"{place}: a call names no function")
    arguments = call.get("arguments") or {}
    written = arguments if isinstance(arguments, str) else dumps(arguments, ensure_ascii=False)
    function = {"name": call["function_name"], "arguments": written}
    return {"id": call.get("tool_call_id"), "type": "function", "function": function}

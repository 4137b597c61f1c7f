"""The format `verifiers`: `traces.jsonl`, as `eval` of verifiers v1 writes it.

A line is an episode, which holds traces, or one trace. A trace is a graph of messages, each with
the tokens that it adds; every leaf of it is a conversation, whose reward is the trace's. The
messages of verifiers become OpenAI's: a call's name and arguments go into its `function`.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.interop.conversation import Conversation, Record, records, text_at, value_at
from engine.interop.settings import ImportSettings
from engine.templates.base import Message
from search.usage import Usage

FILE = "traces.jsonl"
_LIMITS = frozenset(
    {"max_turns", "max_input_tokens", "max_output_tokens", "max_total_tokens", "context_length"}
)
"""Conditions at which verifiers cuts a trace."""
_GRAPH = ("nodes", "calls", "tools")


def read_verifiers(path: Path, settings: ImportSettings) -> Iterator[Conversation]:
    """Yield a conversation for each leaf of each trace of a file, or of the folder that holds it.

    Raises:
        UsageError: a line cannot be read, or is no episode and no trace.
    """
    for place, record in records(path / FILE if path.is_dir() else path):
        traces = record.get("traces", [record] if "nodes" in record else None)
        if not isinstance(traces, list):
            raise UsageError(f"{place}: neither an episode with traces nor a trace with nodes")
        for number, trace in enumerate(traces):
            where = f"{place}, trace {number}" if "traces" in record else place
            episode = {name: value for name, value in record.items() if name != "traces"}
            yield from _of_trace(trace, episode if "traces" in record else {}, where, settings)


def _of_trace(
    trace: Any, episode: Record, place: str, settings: ImportSettings
) -> Iterator[Conversation]:
    nodes = trace.get("nodes") if isinstance(trace, Mapping) else None
    if not isinstance(nodes, list):
        raise UsageError(f"{place}: it has no nodes")
    _check_lists(trace, ("calls", "tools"), place)
    for number, node in enumerate(nodes):
        _check_lists(node, ("token_ids", "mask", "logprobs"), f"{place}, node {number}")
    calls = {call.get("node"): call for call in trace.get("calls") or () if _is_object(call)}
    reward = value_at(trace, settings.reward) if settings.reward else _reward(trace, place)
    kept = {name: value for name, value in trace.items() if name not in _GRAPH}
    inner = {_parent(node, n, place) for n, node in enumerate(nodes)}
    for leaf in (n for n in range(len(nodes)) if n not in inner):
        path = _path(nodes, leaf, place)
        used = {at: call for at, n in enumerate(path) if (call := calls.get(n))}
        last = used.get(len(path) - 1, {})
        yield Conversation(
            place=f"{place}, node {leaf}",
            messages=[_message(nodes[n], f"{place}, node {n}") for n in path],
            tools=[_tool(tool, place) for tool in trace.get("tools") or ()],
            task=_task(trace, settings),
            ids=(str(trace.get("id")),),
            reward=reward,
            source=str(last.get("model") or value_at(trace, "agent.config.model") or ""),
            cut=trace.get("stop_condition") in _LIMITS or last.get("finish_reason") == "length",
            facts={at: _facts(nodes[n], calls.get(n, {})) for at, n in enumerate(path)},
            usage={at: _usage(call) for at, call in used.items()},
            kept=kept | ({"episode": dict(episode)} if episode else {}),
        )


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _check_lists(record: Any, names: Sequence[str], place: str) -> None:
    for name in names if _is_object(record) else ():
        if not isinstance(record.get(name) or [], list):
            raise UsageError(f"{place}: its {name} are not a list")


def _parent(node: Any, number: int, place: str) -> int | None:
    parent = node.get("parent") if isinstance(node, Mapping) else -1
    if parent is not None and not (isinstance(parent, int) and 0 <= parent < number):
        raise UsageError(f"{place}: node {number} has no parent before it")
    return parent


def _path(nodes: Sequence[Record], leaf: int, place: str) -> list[int]:
    path, at = list[int](), leaf
    while True:
        path.append(at)
        parent = _parent(nodes[at], at, place)
        if parent is None:
            return path[::-1]
        at = parent


def _message(node: Record, place: str) -> Message:
    found = node.get("message")
    if not isinstance(found, Mapping):
        raise UsageError(f"{place}: it has no message")
    message = {name: value for name, value in found.items() if value is not None}
    if "tool_calls" in message:
        message["tool_calls"] = [_call(call, place) for call in message["tool_calls"]]
    if message.get("role") == "assistant":
        message.setdefault("content", None)
    return message


def _call(call: Any, place: str) -> dict[str, Any]:
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
        raise UsageError(f"{place}: a call names no function")
    function = {"name": call["name"], "arguments": call.get("arguments")}
    return {"id": call.get("id"), "type": "function", "function": function}


def _tool(tool: Any, place: str) -> dict[str, Any]:
    if not isinstance(tool, Mapping):
        raise UsageError(f"{place}: a tool is not an object")
    given = {name: value for name, value in tool.items() if value is not None}
    return {"type": "function", "function": given}


def _facts(node: Record, call: Record) -> dict[str, Any]:
    """Return what a node says beside its message; the tokens under the names that ATIF has."""
    mask, tokens = node.get("mask") or [], node.get("token_ids") or []
    logprobs = node.get("logprobs") or []
    metrics = {
        "completion_token_ids": list(compress(tokens, mask)),
        # Those of the prompt that this reply adds: the generation prompt.
        "logprobs": logprobs,
    }
    others = {
        "sampled": node.get("sampled"),
        "timestamp_seconds": node.get("timestamp"),
        "token_ids": tokens,
        "mask": mask,
        "finish_reason": call.get("finish_reason"),
        "sampling": call.get("sampling"),
        **{name: node.get(name) for name in ("advantages", "reference_logprobs", "loss_weights")},
    }
    extra = {name: value for name, value in others.items() if value}
    found = {"metrics": {name: value for name, value in metrics.items() if value}}
    return {k: v for k, v in {**found, "extra": {"verifiers": extra} if extra else {}}.items() if v}


def _usage(call: Record) -> Usage:
    used = call.get("usage") or {}
    cached, prompt = used.get("cached_input_tokens") or 0, used.get("prompt_tokens") or 0
    completion, cost = used.get("completion_tokens") or 0, used.get("cost") or 0.0
    # verifiers counts the prompt without what the cache held.
    return Usage(1, prompt + cached, completion, cached, cost)


def _reward(trace: Record, place: str) -> Any:
    """Return the weighted sum of the rewards, as verifiers computes it; None without one.

    Raises:
        UsageError: one has no score.
    """
    rewards = trace.get("rewards")
    if not isinstance(rewards, Mapping):
        return trace.get("reward")
    given = [each for each in rewards.values() if isinstance(each, Mapping)]
    numbers = [(each.get("score"), each.get("weight", 1.0)) for each in given]
    if not all(isinstance(each, int | float) for pair in numbers for each in pair):
        raise UsageError(f"{place}: a reward has no score or no weight that is a number")
    return sum(score * weight for score, weight in numbers) if given else None


def _task(trace: Record, settings: ImportSettings) -> str:
    names = (settings.task_id, "task.key", "task.data.id", "task.data.name", "task.hash")
    return next(filter(None, (text_at(trace, name) for name in names)), "")

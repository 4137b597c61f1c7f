"""Codec of trees: to JSON values and back, the one place that knows how a tree is stored."""

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from environments.tools import Tool
from environments.types import Action, Step, Task, is_finite
from search.tree import Call, Node, Tree
from search.usage import Usage


def dumps(value: Any) -> str:
    """Return `value` as JSON the way the store writes it: one line, not escaped to ASCII."""
    text = json.dumps(json_value(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return encodable(text)


def encodable(text: str) -> str:
    """Return `text` with "?" for lone surrogates, which no file and no database can hold.

    Models cut emoji in two, and Python names files that are not UTF-8 with them.
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def json_value(value: Any) -> Any:
    """Return `value` with null in place of NaN and infinite numbers, which are not JSON."""
    return value if is_finite(value) else _without_nan(value)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return list(map(_without_nan, value))
    return None if isinstance(value, float) and not isfinite(value) else value


def node_to_dict(node: Node) -> dict[str, Any]:
    """Return `node` as JSON values; `actor` and `why`, and `attempts`, only if they are set."""
    step, action = node.step, node.step.action
    attribution = {"actor": node.actor, "why": node.why}
    return {
        "id": node.id,
        "parent": node.parent,
        "call": node.call,
        "tool": action.tool,
        "arguments": dict(action.arguments),
        "thought": action.thought,
        "error": action.error,
        "observation": step.observation,
        "reward": step.reward,
        "terminated": step.terminated,
        "truncated": step.truncated,
        "info": dict(step.info),
        **(attribution if any(attribution.values()) else {}),
        **({"attempts": list(node.attempts)} if node.attempts else {}),
    }


def node_from_dict(row: Mapping[str, Any]) -> Node:
    """Return the node that `node_to_dict` wrote, or an earlier version with fewer values."""
    action = Action(row["tool"], row["arguments"], row["thought"], row["error"])
    step = Step(
        action,
        row["observation"],
        row["reward"],
        bool(row["terminated"]),
        bool(row["truncated"]),
        row["info"],
    )
    actor, why, attempts = row.get("actor", ""), row.get("why", ""), row.get("attempts", ())
    return Node(row["id"], row["parent"], step, row["call"], actor, why, tuple(attempts))


def call_to_list(call: Call) -> list[Any]:
    """Return `call` as a list: state, request, usage, kind; incomplete and said, if there are."""
    used = call.usage
    counts = [used.calls, used.prompt_tokens, used.completion_tokens, used.cached_tokens, used.usd]
    noted = [call.incomplete, call.said] if call.said else [call.incomplete]
    return [call.state, call.request, *counts, call.kind, *(noted if any(noted) else [])]


def call_from_list(row: list[Any]) -> Call:
    """Return the call that `call_to_list` wrote, or an earlier version with fewer values."""
    return Call(row[0], row[1], Usage(*row[2:7]), *row[7:])


def task_to_dict(task: Task) -> dict[str, Any]:
    """Return the public part of `task`: no `secret`, and no `details`, which may hold paths."""
    return {
        "id": task.id,
        "prompt": task.prompt,
        "group": task.group,
        "split": task.split,
        "tags": dict(task.tags),
        **({} if task.tools is None else {"tools": tools_to_lists(task.tools)}),
        **({"made": dict(task.made)} if task.made else {}),
        **({} if task.opening is None else {"opening": list(task.opening)}),
    }


def task_from_dict(row: Mapping[str, Any]) -> Task:
    """Return the public part of the task that `task_to_dict` wrote."""
    return Task(
        row["id"],
        row["prompt"],
        tags=row["tags"],
        group=row["group"],
        split=row["split"],
        tools=tools_from_lists(row["tools"]) if "tools" in row else None,
        made=row.get("made") or {},
        opening=tuple(row["opening"]) if "opening" in row else None,
    )


def tools_to_lists(tools: Sequence[Tool]) -> list[list[Any]]:
    """Return tools as JSON values: name, description and parameters of each."""
    return [[tool.name, tool.description, dict(tool.parameters)] for tool in tools]


def tools_from_lists(rows: Sequence[Sequence[Any]]) -> tuple[Tool, ...]:
    """Return the tools that `tools_to_lists` wrote."""
    return tuple(Tool(*row) for row in rows)


def tree_to_dict(tree: Tree) -> dict[str, Any]:
    """Return all of `tree` as JSON values; equal trees give equal values on every machine."""
    return {
        "task": task_to_dict(tree.task),
        "source": tree.source,
        "stopped": tree.stopped,
        "repeats": tree.duplicates,
        "closed": {str(state): reason for state, reason in sorted(tree.closed.items())},
        "replayed": tree.replayed,
        **({"searched": tree.searched} if tree.searched else {}),
        "calls": [call_to_list(call) for call in tree.calls],
        "nodes": [node_to_dict(node) for node in tree.nodes],
    }

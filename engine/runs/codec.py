"""Trees as plain values and back: the one place that knows how a tree is written down."""

import json
from collections.abc import Mapping
from typing import Any

from environments.types import Action, Step, Task
from search.tree import Call, Node, Tree
from search.usage import Usage


def dumps(value: Any) -> str:
    """JSON as the store writes it: one line, every character as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def node_to_dict(node: Node) -> dict[str, Any]:
    """Without `actor` and `why` where the run's teacher acted as ever."""
    step, action = node.step, node.step.action
    who = {"actor": node.actor, "why": node.why}
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
        **(who if any(who.values()) else {}),
    }


def node_from_dict(row: Mapping[str, Any]) -> Node:
    action = Action(row["tool"], row["arguments"], row["thought"], row["error"])
    step = Step(
        action,
        row["observation"],
        row["reward"],
        bool(row["terminated"]),
        bool(row["truncated"]),
        row["info"],
    )
    who = (row.get("actor", ""), row.get("why", ""))  # not in runs from before there were students
    return Node(row["id"], row["parent"], step, row["call"], *who)


def call_to_list(call: Call) -> list[Any]:
    used = call.usage
    counts = [used.calls, used.prompt_tokens, used.completion_tokens, used.cached_tokens, used.usd]
    return [call.state, call.request, *counts, call.kind]


def call_from_list(row: list[Any]) -> Call:
    """`row` as `call_to_list` gives it; without a kind in runs from before there were judges."""
    return Call(row[0], row[1], Usage(*row[2:7]), *row[7:])


def task_to_dict(task: Task) -> dict[str, Any]:
    """The public part: neither `secret` nor `details`, which may hold paths."""
    return {
        "id": task.id,
        "prompt": task.prompt,
        "group": task.group,
        "split": task.split,
        "tags": dict(task.tags),
    }


def task_from_dict(row: Mapping[str, Any]) -> Task:
    return Task(row["id"], row["prompt"], tags=row["tags"], group=row["group"], split=row["split"])


def tree_to_dict(tree: Tree) -> dict[str, Any]:
    """All of a tree, JSON only; equal for equal trees, whatever machine and hour made them."""
    return {
        "task": task_to_dict(tree.task),
        "source": tree.source,
        "stopped": tree.stopped,
        "repeats": tree.duplicates,
        "closed": {str(state): reason for state, reason in sorted(tree.closed.items())},
        "replayed": tree.replayed,
        "calls": [call_to_list(call) for call in tree.calls],
        "nodes": [node_to_dict(node) for node in tree.nodes],
    }

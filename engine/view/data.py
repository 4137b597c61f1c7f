"""What the page knows of a tree, as JSON: a line in the list of tasks, and the tree opened.

Nothing that holds a task's secret gets here: `secret_written` looks at every path from its start,
as `engine.export.leak_check` does at rows.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from engine.errors import LeakError
from engine.export.filters import Counts, Filter
from engine.export.leak_check import secret_written
from engine.export.pairs import halves
from engine.export.rows import Pairs, RowBuilder
from engine.export.secrets import Fingerprint, holds, texts
from engine.runs.annotations import signatures
from engine.runs.codec import dumps
from engine.templates.base import Message
from engine.view.costs import costs, first_success, totals
from environments.types import Task
from search.tree import ROOT, Node, Tree

Json = dict[str, Any]
PROMPT_SHOWN = 300
"""Characters of a task's prompt in the list."""
MOST_PAIRS = 200
"""Of a tree; a bushy one has thousands."""
_CONFIG_SHOWN = (
    "env",
    "split",
    "teacher",
    "template",
    "search",
    "width",
    "depth",
    "solved",
    "seed",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One tree for the page.   summary: for the list and the charts.   detail: when opened."""

    summary: Json
    detail: Json


def about(name: str, meta: Mapping[str, Any], renderer: RowBuilder) -> Json:
    """What the page says of the run as a whole; neither paths nor addresses."""
    config = meta["config"]
    return {
        "name": name,
        "config": {key: config[key] for key in _CONFIG_SHOWN if config.get(key) is not None},
        "version": meta.get("versions", {}).get("treegraft", ""),
        "tools": renderer.templates[0].tools(renderer.world),
    }


def read(
    tree: Tree, renderer: RowBuilder, fingerprints: Sequence[Fingerprint], pairs: Pairs
) -> Reading:
    """What the page shows of `tree`.

    Raises:
        LeakError: it would show the task's secret.
    """
    messages = _messages(tree, renderer)
    _look_for_secret(tree, messages, renderer, fingerprints)
    found = _pairs(tree, renderer, messages, pairs)
    spent, known = costs(tree), signatures(tree)
    nodes = [
        _node(tree, node) | {"messages": messages[node.id], "signature": known[node.id]}
        for node in tree.nodes
    ]
    detail = {
        "id": tree.task.id,
        "source": tree.source,
        "stopped": tree.stopped,
        "messages": messages[ROOT],
        "signature": known[ROOT],
        "closed": tree.closed.get(ROOT, ""),
        "costs": [[used.calls, used.tokens, round(used.usd, 9)] for used in spent],
        "nodes": nodes,
        "pairs": found,
    }
    return Reading(_summary(tree, len(found)), detail)


def treeless(task_id: str, why: str) -> Json:
    """The summary of a task of which there is no tree to show."""
    return _of_task(Task(task_id, "")) | {"status": "error", "why": why}


def _of_task(task: Task) -> Json:
    return {
        "id": task.id,
        "prompt": task.prompt[:PROMPT_SHOWN],
        "group": task.group,
        "split": task.split,
        "tags": dict(task.tags),
    }


def _summary(tree: Tree, pairs: int) -> Json:
    ended: Counter[tuple[int, bool]] = Counter(
        (len(tree.lineage(leaf.id)), leaf.step.solved) for leaf in tree.leaves()
    )
    cut_short = "open" if tree.stopped == "budget" else "failed"
    return {
        **_of_task(tree.task),
        "status": "solved" if tree.solved else cut_short,
        "stopped": tree.stopped,
        "nodes": len(tree.nodes),
        "pairs": pairs,
        "more_pairs": pairs == MOST_PAIRS,
        "reward": max((leaf.step.reward for leaf in tree.leaves()), default=0.0),
        "students": sum(bool(node.actor) for node in tree.nodes),
        "ended": [[depth, solved, n] for (depth, solved), n in sorted(ended.items())],
        "first": first_success(tree),
        **totals(tree.usage),
    }


def _messages(tree: Tree, renderer: RowBuilder) -> list[list[Message]]:
    """By node id, ROOT first: what the node adds to the conversation of its parent.

    Templates append only (`Template.render`), and as many messages for a step wherever it stands;
    so a path is rendered once, from its end, and taken apart.
    """
    template, world, task = renderer.templates[0], renderer.world, tree.task
    start = template.render(world, task, ())
    parts: list[list[Message]] = [start, *([] for _ in tree.nodes)]
    for end in reversed(tree.nodes):
        if not parts[end.id]:
            lineage = tree.lineage(end.id)
            left = template.render(world, task, tree.path(end.id))[len(start) :]
            for node in lineage:
                size = len(template.render(world, task, (node.step,))) - len(start)
                parts[node.id], left = left[:size], left[size:]
            assert not left, f"template {template.name} writes a step as it stands elsewhere"
    return parts


def _node(tree: Tree, node: Node) -> Json:
    step, action = node.step, node.step.action
    asked = [] if node.call < 0 else [tree.calls[node.call].usage]
    return {
        "id": node.id,
        "parent": node.parent,
        "status": node.status,
        "closed": tree.closed.get(node.id, ""),
        "reward": step.reward,
        "tool": action.tool,
        "arguments": dumps(dict(action.arguments)),
        "info": json.dumps(dict(step.info), ensure_ascii=False, indent=1) if step.info else "",
        "actor": node.actor,
        "overruled": node.why,
        "request": [
            [used.prompt_tokens, used.completion_tokens, used.cached_tokens, used.usd]
            for used in asked
        ],
    }


def _pairs(
    tree: Tree, renderer: RowBuilder, messages: Sequence[Sequence[Message]], kind: Pairs
) -> list[Json]:
    """The first pairs that `engine export --to dpo` writes of `tree`, but for their prompts.

    Their messages are those of nodes, in which no secret was found.
    """
    found = []
    rows = renderer.dpo(tree, Filter(), Counts(), kind)
    for row in islice(rows, MOST_PAIRS):
        chosen, rejected = halves(tree, row, lambda node: messages[node.id][0])
        found.append(
            {
                "depth": row["depth"],
                "nodes": [chosen.id, rejected.id],
                "rewards": [row["chosen_reward"], row["rejected_reward"]],
                "chosen": row["chosen"],
                "rejected": row["rejected"],
            }
        )
    return found


def _look_for_secret(
    tree: Tree,
    messages: Sequence[Sequence[Message]],
    renderer: RowBuilder,
    fingerprints: Sequence[Fingerprint],
) -> None:
    """Raises LeakError where a path, or what is told beside it, shows what its agent had not
    written."""
    task = tree.task
    told = [task.id, task.group, *task.tags.values()]
    told += texts(renderer.templates[0].tools(renderer.world))
    if holds("\n".join(told), fingerprints):
        raise LeakError(f"task {task.id}: its id, tags or tools hold its secret")
    written = [secret_written(f"task {task.id}, start", messages[ROOT], fingerprints)]
    for node in tree.nodes:
        place = f"task {task.id}, node {node.id}"
        wrote = secret_written(place, messages[node.id], fingerprints, written[node.parent])
        if not wrote and holds("\n".join(texts(node.step.info)), fingerprints):
            raise LeakError(f"{place} (info): holds the task's secret")
        written.append(wrote)

"""What the page shows of a tree, as JSON: its line in the list of tasks, and the opened tree.

Nothing that holds a task's secret gets here: `_check_for_secret` checks every path from its start,
as `engine.export.leak_check` checks rows.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from engine.errors import LeakError
from engine.export.export import ExportSettings, pair_rows
from engine.export.filters import NO_ANNOTATIONS, Counts
from engine.export.leak_check import not_written
from engine.export.pairs import PairKind
from engine.export.rows import RowBuilder
from engine.runs.annotations import path_signatures
from engine.runs.codec import dumps, json_value
from engine.runs.fingerprints import Fingerprint, contains_secret, strings_in
from engine.templates.base import Message
from engine.view.costs import first_success, subtree_costs, usage_totals
from engine.view.outcomes import node_outcome, outcome_counts, outcome_sentence
from environments.types import Task
from search.tree import ROOT, Node, Tree
from search.values import Values

Json = dict[str, Any]
PathValues = Mapping[str, Json]
"""What the states of a tree are worth, as one policy plays on, by the signatures of their paths."""
PROMPT_SHOWN = 300
"""Characters of a task's prompt in the list of tasks."""
MAX_PAIRS = 200
"""Pairs shown per tree; a bushy one has thousands."""
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
class TreeData:
    """What the page shows of one tree.

    Attributes:
        summary: for the list of tasks and the charts.
        detail: for the opened tree.
    """

    summary: Json
    detail: Json


def about_run(name: str, meta: Mapping[str, Any], builder: RowBuilder) -> Json:
    """Return what the page shows of the run as a whole: no paths and no addresses."""
    config = meta["config"]
    return {
        "name": name,
        "config": {key: config[key] for key in _CONFIG_SHOWN if config.get(key) is not None},
        "version": meta.get("versions", {}).get("treegraft", ""),
        "unpriced": bool(meta.get("unpriced", True)),
        "tools": builder.templates[0].tools(builder.world),
    }


def tree_data(
    tree: Tree,
    builder: RowBuilder,
    fingerprints: Sequence[Fingerprint],
    pairs: PairKind,
    values: Sequence[PathValues] = (),
) -> TreeData:
    """Return what the page shows of `tree`, with the values of its states, if it has continuations.

    Args:
        tree: A finished tree.
        builder: Renders its paths.
        fingerprints: Of what no page may show.
        pairs: Which pairs to show.
        values: What the states are worth, as each of several policies plays on from them; its own
            continuations come first.

    Raises:
        LeakError: it would show the task's secret.
    """
    messages = _messages(tree, builder)
    _check_for_secret(tree, messages, builder, fingerprints)
    costs, signatures = subtree_costs(tree), path_signatures(tree)
    shown_pairs = _pairs(tree, builder, pairs)
    nodes = [
        _node(tree, node)
        | {"messages": messages[node.id], "signature": signatures[node.id]}
        | (
            {
                "continues": node.id > tree.searched,
                "values": _values(values, signatures[node.id]),
            }
            if values
            else {}
        )
        for node in tree.nodes
    ]
    detail = {
        "id": tree.task.id,
        "source": tree.source,
        "stopped": tree.stopped,
        "sentence": outcome_sentence(tree),
        "messages": messages[ROOT],
        "signature": signatures[ROOT],
        "closed": tree.closed.get(ROOT, ""),
        "values": _values(values, signatures[ROOT]),
        "costs": [[used.calls, used.tokens, round(used.usd, 9)] for used in costs],
        "nodes": nodes,
        "pairs": shown_pairs,
    }
    return TreeData(_summary(tree, len(shown_pairs)), detail)


def summary_without_tree(task_id: str, why: str) -> Json:
    """Return the summary of a task that has no tree to show, and why."""
    return _task(Task(task_id, "")) | {"status": "error", "why": why}


def _task(task: Task) -> Json:
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
        **_task(tree.task),
        "status": "solved" if tree.solved else cut_short,
        "stopped": tree.stopped,
        "nodes": len(tree.nodes),
        "pairs": pairs,
        "more_pairs": pairs == MAX_PAIRS,
        "reward": max((leaf.step.reward for leaf in tree.leaves()), default=0.0),
        "students": sum(bool(node.actor) for node in tree.nodes),
        "ended": [[depth, solved, n] for (depth, solved), n in sorted(ended.items())],
        "first": first_success(tree),
        **outcome_counts(tree),
        **usage_totals(tree.usage),
    }


def _messages(tree: Tree, builder: RowBuilder) -> list[list[Message]]:
    """Return, by node id and for ROOT first, what the node adds to its parent's conversation.

    Templates only append (`Template.render`), and a step gives as many messages wherever it
    stands. So each path is rendered once, at its end, and then split into its steps.
    """
    template, world, task = builder.templates[0], builder.world, tree.task
    start = template.render(world, task, ())
    parts: list[list[Message]] = [start, *([] for _ in tree.nodes)]
    for end in reversed(tree.nodes):
        if not parts[end.id]:
            rest = template.render(world, task, tree.path(end.id))[len(start) :]
            for node in tree.lineage(end.id):
                size = len(template.render(world, task, (node.step,))) - len(start)
                parts[node.id], rest = rest[:size], rest[size:]
            assert not rest, f"template {template.name} renders a step differently in a path"
    return parts


def _node(tree: Tree, node: Node) -> Json:
    step, action = node.step, node.step.action
    info = json_value(dict(step.info))
    requests = [] if node.call < 0 else [tree.calls[node.call].usage]
    return {
        "id": node.id,
        "parent": node.parent,
        "status": node.status,
        **node_outcome(node),
        "closed": tree.closed.get(node.id, ""),
        "reward": step.reward,
        "tool": action.tool,
        "arguments": dumps(dict(action.arguments)),
        "thought": action.thought if action.tool else "",
        "info": json.dumps(info, ensure_ascii=False, indent=1) if info else "",
        "actor": node.actor,
        "overruled": node.why,
        "request": [
            [used.prompt_tokens, used.completion_tokens, used.cached_tokens, used.usd]
            for used in requests
        ],
    }


def _values(values: Sequence[PathValues], signature: str) -> list[Json]:
    """Return what a state is worth by each policy that knows."""
    return [known[signature] for known in values if signature in known]


def path_values(tree: Tree, policy: str) -> PathValues:
    """Return what the states of a tree with continuations are worth, by their paths' signatures.

    Args:
        tree: A tree of `engine credit`.
        policy: Who played on.
    """
    values, signatures = Values(tree), path_signatures(tree)
    found: dict[str, Json] = {}
    for node in (ROOT, *(each.id for each in tree.nodes)):
        value = values.of(node)
        if value is None or value.ended or signatures[node] in found:
            continue
        low, high = value.interval()
        found[signatures[node]] = {
            "by": policy,
            "mean": value.mean,
            "interval": [low, high],
            "number": len(value.rewards),
            "passed": value.pass_rate,
            "pivot": value.pivot,
        }
    return found


def _pairs(tree: Tree, builder: RowBuilder, kind: PairKind) -> list[Json]:
    """Return the first pairs that `engine export --to dpo` makes of `tree`, without prompts.

    They need no check of their own: their messages are those of the nodes.
    """
    shown = []
    settings = ExportSettings("dpo", pairs=kind)
    rows = pair_rows(tree, builder, settings, NO_ANNOTATIONS, Counts())
    for pair, row in islice(rows, MAX_PAIRS):
        shown.append(
            {
                "depth": row["depth"],
                "nodes": [pair.chosen.id, pair.rejected.id],
                "rewards": [row["chosen_reward"], row["rejected_reward"]],
                "chosen": row["chosen"],
                "rejected": row["rejected"],
            }
        )
    return shown


def _check_for_secret(
    tree: Tree,
    messages: Sequence[Sequence[Message]],
    builder: RowBuilder,
    fingerprints: Sequence[Fingerprint],
) -> None:
    """Check that the secret appears nowhere before the agent wrote it on that path.

    Raises:
        LeakError: it does, in a path or in what is shown beside it.
    """
    task = tree.task
    beside = [task.id, task.group, *task.tags.values()]
    beside += strings_in(builder.templates[0].tools(builder.world.of(task)))
    if contains_secret("\n".join(beside), fingerprints):
        raise LeakError(f"task {task.id}: its id, tags or tools hold its secret")
    hidden = [not_written(f"task {task.id}, start", messages[ROOT], fingerprints)]
    for node in tree.nodes:
        place = f"task {task.id}, node {node.id}"
        hidden_here = not_written(place, messages[node.id], hidden[node.parent])
        beside = [*strings_in(node.step.info), node_outcome(node)["said"]]
        if contains_secret("\n".join(beside), hidden_here):
            raise LeakError(f"{place} (info): holds the task's secret")
        hidden.append(hidden_here)

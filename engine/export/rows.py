"""Rows as dicts: SFT rows from paths, DPO rows from branchings.

Columns are what TRL, `datasets` and OpenAI's fine-tuning take (design: one row a trajectory, not
one a turn). The observation that ends an episode is left out: nothing is written after it.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from engine.export.corrected import corrects
from engine.export.filters import Counts, Filter, fault, kept
from engine.templates.base import Message, Template, World
from environments.types import Step
from search.tree import Node, Tree

Pairs = Literal["step", "trajectory"]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RowBuilder:
    """Renders paths of one run.

    run: its folder's name, first part of the rows' `id`.   env: for the rows' `env` column.
    templates: each row is written in one of them, always the same for the same path of a task, so
        that equal paths of several runs make equal rows.
    mask_errors: in SFT rows, what an environment answered with an error has `"weight": 0`: it is
        read, and not learnt (AgentRefine, Fu et al. 2025, arXiv:2501.01702, "refinement tuning").
    """

    run: str
    env: str
    world: World
    templates: tuple[Template, ...]
    mask_errors: bool = False

    def template(self, tree: Tree, leaf: Node) -> Template:
        """The one for rows of the path to `leaf`."""
        told = [tree.task.prompt, *(step.action.key for step in tree.path(leaf.id))]
        digest = hashlib.sha256(json.dumps(told).encode()).digest()
        return self.templates[int.from_bytes(digest[:8]) % len(self.templates)]

    def messages(self, template: Template, tree: Tree, path: tuple[Step, ...]) -> list[Message]:
        """The conversation of `path`, up to and with its last assistant message."""
        messages = template.render(self.world, tree.task, path)
        while path and messages[-1]["role"] != "assistant":
            messages.pop()
        return messages

    def sft(self, tree: Tree, wanted: Filter, counts: Counts) -> Iterator[Row]:
        """One row for each path that passes: origin, reward, messages, tools."""
        for leaf in kept(tree, wanted, counts):
            template, path = self.template(tree, leaf), tree.path(leaf.id)
            messages = self.messages(template, tree, path)
            yield {
                **self._origin(tree, leaf),
                "reward": leaf.step.reward,
                "messages": _masked(messages, path) if self.mask_errors else messages,
                "tools": template.tools(self.world),
            }

    def dpo(self, tree: Tree, wanted: Filter, counts: Counts, pairs: Pairs) -> Iterator[Row]:
        """One row for each failed sibling along each path that passes.

        "step" pairs hold one action each, as in TP-LLaMA (arXiv:2406.07115, section 4.2);
        "trajectory" pairs hold all that follows, to the end of either path.
        """
        done: set[tuple[int, int]] = set()
        for leaf in kept(tree, wanted, counts):
            for good in tree.lineage(leaf.id):
                for bad in _failed_siblings(tree, good, wanted):
                    if wanted.corrected and not corrects(good, bad):
                        continue
                    if pairs == "trajectory" or (good.id, bad.id) not in done:
                        done.add((good.id, bad.id))
                        if wanted.exclude_marked and wanted.marked.taints(tree, bad):
                            counts.dropped["marked bad"] += 1
                            continue
                        yield self._pair(tree, leaf, good, bad, pairs)

    def _pair(self, tree: Tree, leaf: Node, good: Node, bad: Node, pairs: Pairs) -> Row:
        before, template = tree.path(good.parent), self.template(tree, leaf)
        prompt = template.render(self.world, tree.task, before)
        loser = _last_leaf(tree, bad)
        chosen, rejected = (good, bad) if pairs == "step" else (leaf, loser)
        start = len(prompt)
        return {
            **self._origin(tree, leaf),
            "prompt": prompt,
            "chosen": self.messages(template, tree, tree.path(chosen.id))[start:],
            "rejected": self.messages(template, tree, tree.path(rejected.id))[start:],
            "tools": template.tools(self.world),
            "pair_kind": pairs,
            "depth": len(before),
            "chosen_reward": leaf.step.reward,
            "rejected_reward": loser.step.reward,
        }

    def _origin(self, tree: Tree, leaf: Node) -> Row:
        return {
            "id": f"{self.run}/{tree.task.id}/{leaf.id}",
            "env": self.env,
            "source": tree.source,
            "split": tree.task.split,
            "group": tree.task.group,
        }


def _masked(messages: list[Message], path: tuple[Step, ...]) -> list[Message]:
    """`messages`, in which a step of `path` that erred has no weight."""
    erred = iter(bool(step.info.get("error")) for step in path)
    return [
        {**message, "weight": 0} if message["role"] == "assistant" and next(erred) else message
        for message in messages
    ]


def _failed_siblings(tree: Tree, good: Node, wanted: Filter) -> Iterator[Node]:
    """Siblings of `good` that led nowhere: every path through them has ended, and none passes.

    A sibling below which something is still open might have succeeded; it makes no pair.
    """
    for sibling in tree.children(good.parent):
        if sibling.id == good.id:
            continue
        below = list(_subtree(tree, sibling))
        ended = [node for node in below if node.step.ended]
        open_ends = [n for n in below if not n.step.ended and not tree.children(n.id)]
        passes = any(not fault(tree.path(node.id), wanted) for node in ended)
        if ended and not passes and not open_ends:
            yield sibling


def _subtree(tree: Tree, node: Node) -> Iterator[Node]:
    yield node
    for child in tree.children(node.id):
        yield from _subtree(tree, child)


def _last_leaf(tree: Tree, node: Node) -> Node:
    """The ended node that the search came to last below `node`, or `node` itself."""
    return [below for below in _subtree(tree, node) if below.step.ended][-1]

"""Judging steps by rule: what failed, and what no later call uses.

A step of a successful path that brought an error is "recovered". One that brings no new word that a
later call uses, in its call or in its observation, may be a detour; a replay without it decides
(`replay`). So trying a query before it is the answer is no detour. A step beside the path below
which everything failed is "wrong".
"""

import json
import re
from collections.abc import Iterator, Sequence

from engine.runs.judgements import Label
from environments.types import Task
from search.tree import Node, Tree

SCORES: dict[Label, float] = {"right": 1.0, "recovered": 0.5, "detour": 0.3, "wrong": 0.0}

_WORD = re.compile(r"\w{2,}")


def doubtful(task: Task, path: Sequence[Node]) -> Iterator[int]:
    """Yield the nodes of a path that may not be needed, in their order."""
    known = _words(task.prompt)
    for place, node in enumerate(path[:-1]):
        if not node.step.action.tool or node.step.info.get("error"):
            yield node.id
            continue
        brought = _words(_arguments(node)) | _words(node.step.observation)
        if not (brought - known) & _words(" ".join(map(_arguments, path[place + 1 :]))):
            yield node.id
        known |= brought


def path_label(node: Node, without: Sequence[int]) -> Label:
    """Return the label of a step of a successful path."""
    if node.step.info.get("error") or not node.step.action.tool:
        return "recovered"
    return "detour" if node.id in without else "right"


def failed_beside(tree: Tree, path: Sequence[Node]) -> Iterator[Node]:
    """Yield the steps beside a path below which every path ended, and none succeeded."""
    on_path = {node.id for node in path}
    for node in path:
        for other in tree.children(node.parent):
            if other.id not in on_path and _failed(tree, other):
                yield other


def _failed(tree: Tree, node: Node) -> bool:
    below = tree.children(node.id)
    if below:
        return all(_failed(tree, child) for child in below)
    return node.step.ended and not node.step.solved


def _arguments(node: Node) -> str:
    """Return the values of a call's arguments; their names are no words of the agent's."""
    return json.dumps(list(node.step.action.arguments.values()), ensure_ascii=False)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))

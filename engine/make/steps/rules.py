"""Judging steps by rule: what failed, and what a path does not need.

A step of a successful path that brought an error is "recovered". One that the world takes for a
detour (`Demonstrable.may_be_detour`) is one if a replay without it shows the same (`replay`). A
step beside the path below which everything failed is "wrong". All others are "right".
"""

from collections.abc import Iterator, Sequence

from engine.runs.judgements import Label
from environments.demonstrable import Demonstrable
from environments.types import Task
from search.tree import Node, Tree

SCORES: dict[Label, float] = {"right": 1.0, "recovered": 0.5, "detour": 0.3, "wrong": 0.0}


def doubtful(world: Demonstrable, task: Task, path: Sequence[Node]) -> list[int]:
    """Return the nodes of a path that may not be needed, in their order."""
    steps = [node.step for node in path]
    return [
        node.id
        for place, node in enumerate(path[:-1])
        if node.step.action.tool
        and not node.step.info.get("error")
        and world.may_be_detour(task, steps, place)
    ]


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

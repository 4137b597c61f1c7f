"""A person's correction of a step: it is played, and what followed is played again after it.

The corrected path becomes a tree of its own kind, in a run beside the one that was corrected, so
that the run itself is never written, and rows of both can be exported together.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from engine.errors import UsageError
from engine.runs.annotations import path_signatures
from engine.runs.explore import locked
from engine.runs.store import Store
from engine.runs.world_of_run import open_world
from environments.plays import first_difference, play, play_on
from environments.types import Action, Step
from search.tree import ROOT, Node, Tree

SOURCE = "human-corrected"
"""The provenance of corrected trees and of their rows."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person writes in place of a step.

    Attributes:
        task: the task's id.
        node: the node of the step.
        signature: of the node, see `path_signatures`; "" does not check that the tree is the same.
        thought: the thought; None keeps it.
        tool: the tool; "" keeps it.
        arguments: the arguments; None keeps them.
    """

    task: str
    node: int
    signature: str = ""
    thought: str | None = None
    tool: str = ""
    arguments: Mapping[str, Any] | None = None

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the correction in `text`.

        Raises:
            UsageError: it is none.
        """
        try:
            found = cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise UsageError(f"not a correction: {text[:200]!r} ({error})") from error
        arguments = found.arguments
        valid = (
            all(isinstance(each, str) for each in (found.task, found.signature, found.tool))
            and type(found.node) is int
            and (found.thought is None or isinstance(found.thought, str))
            and (arguments is None or isinstance(arguments, dict))
        )
        if not valid:
            raise UsageError(f"not a correction: {text[:200]!r}")
        return found

    def of(self, action: Action) -> Action:
        """Return `action` as it is corrected."""
        return Action(
            self.tool or action.tool,
            action.arguments if self.arguments is None else self.arguments,
            # A reply that was no call is the thought of its action: nobody meant to keep it.
            (action.thought if action.tool else "") if self.thought is None else self.thought,
        )


def corrected_run(run: Path) -> Path:
    """Return the folder of the corrected paths of `run`."""
    folder = run.resolve()
    return folder.with_name(f"{folder.name}-corrected")


def correct(run: Path, correction: Correction, task_file: Path | None = None) -> Node:
    """Play a corrected path, keep it in `corrected_run`, and return its last node.

    The steps before it must be answered as they were. What followed the step is played after it, as
    long as the task is not over.

    Raises:
        UsageError: there is no such step, the tree has changed, or the world answers the steps
            before it otherwise.
    """
    with Store.open(run) as store:
        meta, tree = store.meta(), store.tree(correction.task)
        marks = store.fingerprints(correction.task)
    node = _node(tree, correction)
    before, after = tree.path(node.parent), _following(tree, node)
    with open_world(meta["config"], task_file) as world:
        actions = [*(step.action for step in before), correction.of(node.step.action)]
        steps = play(world.env, world.task(tree.task.id), actions)
        if found := first_difference(before, steps[: len(before)]):
            raise UsageError(f"the world answers step {found[0] + 1} otherwise now: {found[1]}")
        if not steps[-1].ended:
            steps += play_on(world.env, after)
    out = corrected_run(run)
    with locked(out), Store.create(out) as store:
        if store.empty:
            store.set_meta(meta)
        known = store.tree(tree.task.id) if tree.task.id in store.task_ids() else None
        kept = known or replace(tree, source=SOURCE, nodes=[], calls=[], closed={}, _children={})
        last = _add(kept, steps)
        kept.stopped = "solved" if kept.solved else "exhausted"
        store.add_tree(kept, marks)
    return last


def _node(tree: Tree, correction: Correction) -> Node:
    if not 0 < correction.node <= len(tree.nodes):
        raise UsageError(f"task {correction.task!r} has no node {correction.node}")
    if correction.signature not in ("", path_signatures(tree)[correction.node]):
        raise UsageError("the tree has changed since; look at it again")
    return tree.node(correction.node)


def _following(tree: Tree, node: Node) -> list[Action]:
    """Return the actions below `node` that lead to the best end, the first of equal ones."""
    paths = [tree.lineage(leaf.id) for leaf in tree.leaves()]
    below = [path for path in paths if node in path]
    best = max(below, key=lambda path: path[-1].step.reward, default=[node])
    return [each.step.action for each in best[best.index(node) + 1 :]]


def _add(tree: Tree, steps: Sequence[Step]) -> Node:
    """Add a path; steps that the tree has already are not repeated."""
    at = ROOT
    for step in steps:
        known = (each for each in tree.children(at) if each.step == step)
        at = (next(known, None) or tree.add(at, step)).id
    return tree.node(at)

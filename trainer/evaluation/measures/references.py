"""The turns of reference trajectories: what a student is asked, and what it should have said.

From a run, the reference of a task is its shortest successful path, in the student's own template;
where the tree went on to a success in several ways from a state of that path, each of those actions
is right there (KAgentBench has some four golden results a turn, and takes the best match). From
rows, it is the shortest row of a task, in the template it was written in, and other rows of the
task that begin alike add to what is right.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.runs.store import Store
from engine.templates import NAMES
from engine.templates import get as get_template
from engine.templates.base import Message, Template, World
from environments.tools import Tool
from environments.types import Action
from search.tree import Node, Tree
from trainer.data.row_source import conversation, read_objects, tools_of
from trainer.errors import RowError, TrainerError


@dataclass(frozen=True, slots=True)
class Turn:
    """One assistant turn of a reference.

    messages, tools: what comes before it, for the request.   template: reads the reply.
    right: at least one action.   before: the action of the turn before, if any.
    after_mistake: whether that one was a mistake (an error, or a repeat); None where it is not
    known.   last: whether it ends the trajectory.
    """

    task: str
    messages: list[Message]
    tools: list[dict[str, Any]]
    template: Template
    right: tuple[Action, ...]
    before: Action | None
    after_mistake: bool | None
    last: bool


def turns(source: Path, template: str) -> list[Turn]:
    """The turns of the references in `source`: a run's folder, or a file of SFT rows.

    template: the student's; rows in another are read in theirs.

    Raises:
        TrainerError: there is no reference in it, or it cannot be read.
        UsageError: the folder holds no run.
    """
    from_run = source.is_dir() or source.suffix == ".db"
    found = list(_of_run(source, template) if from_run else _of_rows(source, template))
    if not found:
        raise TrainerError(f"--reference {source}: holds no successful path")
    return found


def _of_run(folder: Path, name: str) -> Iterator[Turn]:
    with Store.open(folder) as store:
        meta = store.meta()
        told = meta["world"]
        world = World(told["instructions"], tuple(Tool(*tool) for tool in told["tools"]))
        kept = meta.get("template", "") if name == meta["config"]["template"] else ""
        template = get_template(name, source=kept)
        for tree in store.trees():
            yield from _of_tree(tree, world, template)


def _of_tree(tree: Tree, world: World, template: Template) -> Iterator[Turn]:
    ways = [tree.lineage(leaf.id) for leaf in tree.winners()]
    if not ways:
        return
    leading = {node.id for way in ways for node in way}
    best = min(ways, key=len)
    for number, node in enumerate(best):
        path = tree.path(node.parent)
        right = [child for child in tree.children(node.parent) if child.id in leading]
        yield Turn(
            tree.task.id,
            template.render(world, tree.task, path),
            template.tools(world),
            template,
            tuple(child.step.action for child in right),
            path[-1].action if path else None,
            bool(path) and _mistaken(best[:number]),
            node is best[-1],
        )


def _mistaken(way: Sequence[Node]) -> bool:
    """Whether the last step was an error, or a repeat of an earlier one."""
    *earlier, last = (node.step for node in way)
    repeated = any(last.action.key == step.action.key for step in earlier)
    return repeated or bool(last.info.get("error"))


def _of_rows(file: Path, name: str) -> Iterator[Turn]:
    rows: dict[str, list[_Row]] = {}
    for number, value in read_objects(file):
        try:
            row = _row(value, name)
        except RowError as error:
            raise TrainerError(f"--reference {file}: line {number}: {error}") from error
        if row is not None:
            rows.setdefault(row.task, []).append(row)
    for same in rows.values():
        yield from _of_task(same)


@dataclass(frozen=True, slots=True)
class _Row:
    """actions: of the assistant messages, by their index in `messages`."""

    task: str
    messages: list[Message]
    tools: list[dict[str, Any]]
    template: Template
    actions: dict[int, Action]


def _row(value: dict[str, Any], name: str) -> _Row | None:
    """None for a trajectory that did not succeed."""
    if float(value.get("reward", 1.0)) < 1:
        return None
    parts = str(value.get("id") or "").split("/")
    if len(parts) < 3:
        raise RowError("its id must be RUN/TASK/LEAF, as `engine export --to sft` writes it")
    messages = conversation(value, "messages")
    template, actions = _read(messages, name)
    return _Row("/".join(parts[1:-1]), messages, tools_of(value), template, actions)


def _read(messages: Sequence[Message], name: str) -> tuple[Template, dict[int, Action]]:
    """The template that reads most calls in `messages`, the student's first, and what it reads."""
    said = {n: message for n, message in enumerate(messages) if message["role"] == "assistant"}
    best: tuple[Template, dict[int, Action]] | None = None
    for known in dict.fromkeys((name, *NAMES)):
        template = get_template(known)
        actions = {n: template.parse(message) for n, message in said.items()}
        calls = sum(bool(action.tool) for action in actions.values())
        if best is None or calls > sum(bool(action.tool) for action in best[1].values()):
            best = template, actions
    if best is None or not any(action.tool for action in best[1].values()):
        raise RowError("no template reads a call in it")
    return best


def _of_task(rows: Sequence[_Row]) -> Iterator[Turn]:
    best = min(rows, key=lambda row: len(row.messages))
    before: Action | None = None
    for place, action in best.actions.items():
        alike = [
            row.actions[place]
            for row in rows
            if place in row.actions and _same(row.messages[:place], best.messages[:place])
        ]
        # A turn that is no call (a mistake on the way to success) is no reference.
        if right := tuple(one for one in alike if one.tool):
            yield Turn(
                best.task,
                best.messages[:place],
                best.tools,
                best.template,
                right,
                before,
                None if before else False,
                place == max(best.actions),
            )
        before = action


def _same(one: Sequence[Message], other: Sequence[Message]) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

"""Thoughts for the trees of a run: a new run with the same trees, and a thought where one lacked.

Nothing but thoughts changes: each node keeps its action, observation and reward. A step says in
`info["thought_by"]` who wrote its thought. The trees are written one after another, and what a
model replied is in the journal, so the same command goes on after it was stopped.
"""

import asyncio
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import environments
from engine.config import one_of
from engine.errors import UsageError
from engine.export.rows import THOUGHT_BY
from engine.make.asker import AskerSettings, open_asker
from engine.make.thoughts.write import ModelWriter, Moment, RuleWriter, Writer, Written
from engine.runs.annotations import annotations_file
from engine.runs.build_executor import RunBudget
from engine.runs.codec import tools_from_lists
from engine.runs.explore import locked
from engine.runs.store import FILE, Store
from engine.templates.base import World
from search.tree import Node, Tree

Paths = Literal["all", "solved"]
META = "thoughts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThoughtSettings:
    """Which actions get a thought.

    Attributes:
        paths: Those of every path (all), or only of paths that solved their task (solved).
        replace: Write thoughts anew where there are some.
    """

    paths: Paths = field(default="all", metadata={"type": str})
    replace: bool = False

    def __post_init__(self) -> None:
        one_of("paths", self.paths, get_args(Paths))


@dataclass(slots=True)
class ThoughtCounts:
    """What came of it.

    Attributes:
        written: actions that got a thought.
        kept: actions that had one.
        empty: actions that got none, by reason; see `Written.why`.
    """

    written: int = 0
    kept: int = 0
    empty: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"written": self.written, "kept": self.kept, "empty": dict(self.empty)}


async def write_thoughts(
    run: Path,
    output: Path,
    asking: AskerSettings,
    settings: ThoughtSettings,
    budget: RunBudget,
) -> ThoughtCounts:
    """Write the run `output`: the trees of `run`, and thoughts where they have none.

    Raises:
        UsageError: there is no such run, or `output` holds another one.
        PolicyError: the model cannot be asked.
    """
    with Store.open(run) as source, locked(output):
        _check_output(run, output, asking, settings)
        with Store.create(output) as target:
            meta = source.meta()
            target.set_meta(meta | {META: _made(run, asking, settings)})
            if asking.by_rules:
                writer = RuleWriter(_world_of_rules(meta))
                counts = await _all_trees(source, target, writer, settings)
            else:
                async with open_asker(asking, budget, output) as asker:
                    counts = await _all_trees(source, target, ModelWriter(asker), settings)
            target.set_meta({META: _made(run, asking, settings) | counts.to_dict()})
        marks = annotations_file(run)
        if marks.is_file():
            shutil.copyfile(marks, annotations_file(output))
    return counts


def _made(run: Path, asking: AskerSettings, settings: ThoughtSettings) -> dict[str, Any]:
    return {
        "from": run.resolve().name,
        "by": asking.model,
        "paths": settings.paths,
        "replace": settings.replace,
    }


def _check_output(
    run: Path, output: Path, asking: AskerSettings, settings: ThoughtSettings
) -> None:
    """Refuse a folder that holds something else than what this command writes there."""
    if not (output / FILE).exists():
        return
    with Store.create(output) as store:
        found: Mapping[str, Any] = store.meta().get(META) or {}
        made = _made(run, asking, settings)
        if not store.empty and any(found.get(key) != value for key, value in made.items()):
            raise UsageError(f"{output} holds another run; choose another folder")


def _world_of_rules(meta: Mapping[str, Any]) -> environments.ToolEnv:
    """Return the world whose rules make the thoughts. It plays nothing, so it needs no data."""
    config = meta["config"]
    return environments.make(config["env"], **(config.get("env_args") or {}))


async def _all_trees(
    source: Store, target: Store, writer: Writer, settings: ThoughtSettings
) -> ThoughtCounts:
    counts, shown = ThoughtCounts(), source.meta()["world"]
    world = World(shown["instructions"], tools_from_lists(shown["tools"]))
    for tree in source.trees():
        marks = source.fingerprints(tree.task.id)
        moments = _moments(tree, world, settings, marks)
        counts.kept += sum(_has_thought(node) and node.id not in moments for node in tree.nodes)
        found = await _written(writer, moments)
        for one in found.values():
            counts.written += not one.why
            counts.empty[one.why] += bool(one.why)
        nodes = [_with_thought(node, found.get(node.id)) for node in tree.nodes]
        target.add_tree(replace(tree, nodes=nodes, _children={}), marks)
    counts.empty = +counts.empty
    return counts


def _moments(
    tree: Tree, world: World, settings: ThoughtSettings, marks: Sequence[tuple[int, str]]
) -> dict[int, Moment]:
    """Return by node the calls that need a thought."""
    wanted = {node.id for node in tree.nodes}
    if settings.paths == "solved":
        wanted = {node.id for leaf in tree.winners() for node in tree.lineage(leaf.id)}
    return {
        node.id: Moment(world, tree.task, tree.path(node.parent), node.step.action, marks)
        for node in tree.nodes
        if node.id in wanted
        and node.step.action.tool
        and (settings.replace or not _has_thought(node))
    }


def _has_thought(node: Node) -> bool:
    return bool(node.step.action.tool and node.step.action.thought)


async def _written(writer: Writer, moments: Mapping[int, Moment]) -> dict[int, Written]:
    """Write all thoughts of a tree at once; calls that repeat one another are written once."""
    first: dict[str, int] = {}
    for id, moment in moments.items():
        first.setdefault(_sameness(moment), id)
    ids = list(first.values())
    made = await asyncio.gather(*(writer.write(moments[id]) for id in ids))
    by_sameness = dict(zip(first, made, strict=True))
    return {id: by_sameness[_sameness(moment)] for id, moment in moments.items()}


def _sameness(moment: Moment) -> str:
    before = [[step.action.key, step.observation] for step in moment.path]
    return repr([before, moment.action.key])


def _with_thought(node: Node, written: Written | None) -> Node:
    """Return `node` with its new thought, or without one that could not be replaced."""
    if written is None:
        return node
    info = {key: value for key, value in node.step.info.items() if key != THOUGHT_BY}
    info |= {} if written.why else {THOUGHT_BY: dict(written.made)}
    action = replace(node.step.action, thought=written.text)
    return replace(node, step=replace(node.step, action=action, info=info))

"""Write the paths of runs as ATIF, one file for each end of a path.

What a path shares with one that was written before is marked `is_copied_context`. A step's `extra`
has the node's number, its reward, how many paths went through it (visits), and the mean of their
rewards (value), or the value that `engine credit` found.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import quote

from engine.errors import UsageError
from engine.export.leak_check import check_row
from engine.interop.atif_steps import OTHER_STEPS, OURS, VERSION, to_steps
from engine.interop.conversation import Record
from engine.interop.merge import RECORDS
from engine.runs.fingerprints import Fingerprint
from engine.runs.store import Store
from engine.templates.base import Message, World
from engine.templates.native import Native
from engine.templates.recorded import FACTS
from environments.tools import Tool
from search.continuations import Continuations
from search.tree import Node, Tree
from search.values import Values
from treegraft.write_files import make_folder, write_text

_ROOT_FIELDS = ("session_id", "notes", "continued_trajectory_ref", "subagent_trajectories")
_NAME_CHARS = 120


def export_atif(runs: Sequence[Path], output: Path) -> int:
    """Write every path of `runs` into the folder `output`; return the number of files.

    Raises:
        UsageError: a run does not exist, or the folder holds something.
        LeakError: a path would show its task's secret.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"--output {output}: --format atif writes into an empty folder")
    files = 0
    for run in runs:
        Store.open(run).close()
    make_folder(output)
    try:
        for run in runs:
            for name, trajectory in atif_trajectories(run):
                text = json.dumps(trajectory, ensure_ascii=False, indent=1, allow_nan=False)
                write_text(output / f"{name}.json", text + "\n")
                files += 1
    except BaseException:  # all of the paths, or none
        shutil.rmtree(output)
        raise
    return files


def atif_trajectories(run: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a name and a trajectory for each end of a path in a run.

    Raises:
        UsageError: the run does not exist.
        LeakError: a path would show its task's secret.
    """
    with Store.open(run) as store:
        meta, name = store.meta(), run.resolve().name
        stored = meta["world"]
        world = World(stored["instructions"], tuple(Tool(*tool) for tool in stored["tools"]))
        for tree in store.trees():
            writer = _TreeWriter(tree, world, meta["config"], name)
            marks = store.fingerprints(tree.task.id)
            for leaf in tree.nodes:
                if leaf.step.ended or not tree.children(leaf.id) or RECORDS in leaf.step.info:
                    place = quote(f"{name}-{tree.task.id}", safe="")[:_NAME_CHARS]
                    yield f"{place}-{leaf.id:05}", writer.trajectory(leaf, marks)


@dataclass(slots=True)
class _TreeWriter:
    """Writes the paths of one tree.

    Attributes:
        written: nodes that an earlier file holds.
    """

    tree: Tree
    world: World
    config: Record
    run: str
    written: set[int] = field(default_factory=set)
    _visits: dict[int, list[float]] = field(default_factory=dict)
    _values: Values | None = None

    def __post_init__(self) -> None:
        for leaf in self.tree.leaves():
            for node in self.tree.lineage(leaf.id):
                self._visits.setdefault(node.id, []).append(leaf.step.reward)
        if self.config.get("search") == Continuations.name:
            self._values = Values(self.tree)

    def trajectory(self, leaf: Node, marks: Sequence[Fingerprint]) -> dict[str, Any]:
        """Return the path to `leaf`."""
        task, path = self.tree.task, self.tree.lineage(leaf.id)
        render = partial(Native().render, self.world, task)
        messages, start = render([node.step for node in path]), len(render(()))
        id = f"{self.run}/{task.id}/{leaf.id}"
        check_row({"id": id, "messages": messages}, marks)
        steps, begin = to_steps(messages[:start]), start
        if self.written:
            steps = [{**step, "is_copied_context": True} for step in steps]
        for node in path:
            end = begin + len(render((node.step,))) - start
            steps += self._steps(node, messages[begin:end])
            begin = end
        self.written.update(node.id for node in path)
        others = _record(leaf).get("kept", {}).get(OTHER_STEPS, {})
        numbered = [
            _with_others({"step_id": number, **step}, others.get(str(number)))
            for number, step in enumerate(steps, 1)
        ]
        return self._around(leaf, id) | {
            "steps": numbered,
            "final_metrics": _totals(numbered),
        }

    def _steps(self, node: Node, messages: Sequence[Message]) -> list[dict[str, Any]]:
        steps, facts = to_steps(messages), dict(node.step.info.get(FACTS, {}))
        results = facts.pop("results", None)
        first = steps[0]
        extra = {**facts.pop("extra", {})}
        mine = {**self._facts(node), **first.get("extra", {}).get(OURS, {})}
        facts.pop("is_copied_context", None)
        steps[0] = {**first, **self._metrics(node), **facts, "extra": {**extra, OURS: mine}}
        if results and "observation" in first:
            steps[0]["observation"] = {"results": results}
        if node.id in self.written:
            steps = [{**step, "is_copied_context": True} for step in steps]
        return steps

    def _facts(self, node: Node) -> dict[str, Any]:
        rewards = self._visits.get(node.id, [])
        value = fmean(rewards) if rewards else None
        if self._values is not None:
            known = self._values.of(node.id)
            value = known.mean if known else None
        found = {
            "node": node.id,
            "parent": node.parent,
            "visits": len(rewards),
            "value": value,
            "reward": node.step.reward if node.step.ended else None,
            "error": node.step.info.get("error"),
            "actor": node.actor or None,
        }
        return {name: each for name, each in found.items() if each is not None}

    def _metrics(self, node: Node) -> dict[str, Any]:
        """Return what the reply cost; a request that brought several siblings has it once."""
        call = node.call
        first = next((each for each in self.tree.nodes if each.call == call), node)
        if call < 0 or first.id != node.id:
            return {}
        used = self.tree.calls[call].usage
        names = ("prompt_tokens", "completion_tokens", "cached_tokens")
        cost = {"cost_usd": used.usd} if used.usd else {}
        return {"metrics": {name: getattr(used, name) for name in names} | cost}

    def _around(self, leaf: Node, id: str) -> dict[str, Any]:
        """Return the fields of a trajectory beside its steps."""
        task, record = self.tree.task, _record(leaf)
        kept: Mapping[str, Any] = record.get("kept", {})
        kept = kept if "schema_version" in kept else {}
        named = {name: kept[name] for name in _ROOT_FIELDS if kept.get(name) is not None}
        model = self.tree.source
        ours = {
            "run": self.run,
            "env": self.config["env"],
            "task": task.id,
            "leaf": leaf.id,
            "status": leaf.status,
            "cut": leaf.step.truncated,
            "split": task.split,
            "group": task.group,
        }
        reward = {"reward": leaf.step.reward} if leaf.step.ended else {}
        tools = record.get("tools") or Native().tools(self.world.of(task))
        agent = {"name": OURS, "version": version("treegraft"), "model_name": model}
        agent |= kept.get("agent", {})
        return {
            "schema_version": VERSION,
            "session_id": id,
            "trajectory_id": id,
            **named,
            "agent": agent | ({"tool_definitions": tools} if tools else {}),
            "extra": {**(kept.get("extra") or {}), **reward, OURS: ours},
        }


def _record(leaf: Node) -> Record:
    """Return the record that an imported path was first read from; {} for another path."""
    records: Sequence[Record] = leaf.step.info.get(RECORDS, ())
    return records[0] if records else {}


def _with_others(step: dict[str, Any], facts: Record | None) -> dict[str, Any]:
    """Return a step of the user or the system with what its record said beside the message."""
    if not facts or step["source"] == "agent":
        return step
    extra = {**facts.get("extra", {}), **step.get("extra", {})}
    return {**facts, **step, **({"extra": extra} if extra else {})}


def _totals(steps: Sequence[Record]) -> dict[str, Any]:
    """Return the sums over all steps, those of the copied ones included."""
    metrics = [step["metrics"] for step in steps if step.get("metrics")]
    names = {
        "total_prompt_tokens": ("prompt_tokens",),
        "total_completion_tokens": ("completion_tokens",),
        "total_cached_tokens": ("cached_tokens",),
        "total_cost_usd": ("cost_usd", "cost"),
    }
    return {"total_steps": len(steps)} | {
        total: sum(next((each[n] for n in spelled if each.get(n)), 0) for each in metrics)
        for total, spelled in names.items()
    }

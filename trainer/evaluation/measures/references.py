"""The turns of reference trajectories: what a student is asked, and which replies are accepted.

From a run, the reference of a task is its shortest successful path, in the student's own template.
If several actions lead from a state of that path to a success, each of them is accepted there
(KAgentBench has some four golden results per turn, and takes the best match). From rows, the
reference is the shortest row of a task, in the template it was written in; other rows of the task
with the same beginning add accepted actions. A benchmark of `engine benchmark`, and KAgentBench's
own file, hold turns: each is a reference.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.benchmark.file import HASH, Reference, Words, read_benchmark
from engine.benchmark.reviewed import is_mistake
from engine.runs.store import Store
from engine.templates import NAMES, phases
from engine.templates import get as get_template
from engine.templates.base import Message, Template, World
from engine.templates.model_calls import model_calls
from engine.terminal import say
from environments.tools import Tool
from environments.types import Action, Step, Task
from search.tree import Tree
from trainer.data.mask import is_trained
from trainer.data.records import read_file
from trainer.data.row_source import SourceRow, source_rows
from trainer.errors import RowError, TrainerError
from trainer.evaluation.measures.kagentbench_file import GOLD, kagentbench_turns
from trainer.evaluation.measures.turn import CALL, Turn, in_words


def reference_turns(source: Path, template: str) -> list[Turn]:
    """Return the turns of the references in `source`.

    Args:
        source: A run's folder, or a file: SFT rows, a benchmark, KAgentBench's own.
        template: The student's; rows written in another one are read in that one.

    Raises:
        TrainerError: There is no reference in it, or it cannot be read.
        UsageError: The folder holds no run, or a benchmark was changed.
    """
    from_run = source.is_dir() or source.suffix == ".db"
    read = _of_run if from_run else _reader_of(source)
    found = list(read(source, template))
    if not found:
        raise TrainerError(f"--reference {source}: holds no successful path")
    return found


def _reader_of(file: Path) -> Callable[[Path, str], Iterator[Turn]]:
    """Return what reads a file, by the columns of its first record."""
    first = next(iter(read_file(file)), None)
    columns = first.value if first is not None and isinstance(first.value, dict) else {}
    return next((read for column, read in _BY_COLUMN.items() if column in columns), _of_rows)


def _of_run(folder: Path, name: str) -> Iterator[Turn]:
    with Store.open(folder) as store:
        meta = store.meta()
        stored = meta["world"]
        world = World(stored["instructions"], tuple(Tool(*tool) for tool in stored["tools"]))
        source = meta.get("template", "") if name == meta["config"]["template"] else ""
        template = get_template(name, source=source)
        for tree in store.trees():
            yield from _of_tree(tree, world, template)


def _of_tree(tree: Tree, world: World, template: Template) -> Iterator[Turn]:
    successes = [tree.lineage(leaf.id) for leaf in tree.winners()]
    if not successes:
        return
    leading_to_success = {node.id for nodes in successes for node in nodes}
    best, world = min(successes, key=len), world.of(tree.task)
    for node in best:
        if node.step.incomplete:
            continue  # half a reply is no reference
        path = tree.path(node.parent)
        children = tree.children(node.parent)
        yield Turn(
            tree.task.id,
            template.request(world, tree.task, path),
            template.tools(world),
            template,
            tuple(
                _replied(template, world, tree.task, (*path, child.step))
                for child in children
                if child.id in leading_to_success
            ),
            path[-1].action if path else None,
            bool(path) and is_mistake(path),
            node is best[-1],
            world.tools,
        )


def _replied(template: Template, world: World, task: Task, path: Sequence[Step]) -> Action:
    """Return what the first reply of the last step says; the words of an answer may be a second."""
    return template.parse(model_calls(template, world, task, path)[0][-1], world.tools)


def _of_rows(file: Path, name: str) -> Iterator[Turn]:
    rows: dict[str, list[_Row]] = {}
    for found in source_rows(file):
        try:
            row = _row(found, name)
        except RowError as error:
            raise TrainerError(f"--reference {file}: {found.place}: {error}") from error
        if row is not None:
            rows.setdefault(row.task, []).append(row)
    for same in rows.values():
        yield from _of_task(same)


@dataclass(frozen=True, slots=True)
class _Row:
    """A successful trajectory; `actions` are those of its assistant messages, by their index."""

    task: str
    messages: list[Message]
    tools: list[dict[str, Any]]
    template: Template
    actions: dict[int, Action]


def _row(found: SourceRow, name: str) -> _Row | None:
    """Return None for a trajectory that did not succeed, or that cannot be used."""
    value = found.value
    reward = value.get("reward", 1.0)
    if not isinstance(reward, int | float):
        raise RowError("its reward must be a number")
    if reward < 1:
        return None
    parts = str(value.get("id") or "").split("/")
    if len(parts) < 3:
        raise RowError("its id must be RUN/TASK/LEAF, as `engine export --to sft` writes it")
    if value.get("call"):
        raise RowError("it is one model call; give the run's folder, or rows of conversations")
    if found.defect:
        say(f"--reference: {found.place} is left out: {found.defect}")
        return None
    messages = value.get("messages")
    if messages is None:
        raise RowError("it is a pair; references are rows of engine export --to sft")
    template, actions = _read(messages, name)
    return _Row("/".join(parts[1:-1]), messages, value["tools"], template, actions)


def _read(messages: Sequence[Message], name: str) -> tuple[Template, dict[int, Action]]:
    """Return the template in whose own form most calls are, and the parsed actions.

    The student's template is tried first.
    """
    replies = {n: message for n, message in enumerate(messages) if message["role"] == "assistant"}
    best: tuple[Template, dict[int, Action]] | None = None
    for known in dict.fromkeys((name, *NAMES)):
        template = get_template(known)
        actions = {n: template.parse(message) for n, message in replies.items()}
        if best is None or _in_own_form(actions) > _in_own_form(best[1]):
            best = template, actions
    if best is None or not any(action.tool for action in best[1].values()):
        raise RowError("no template parses a tool call in it")
    return best


def _in_own_form(actions: Mapping[int, Action]) -> int:
    """Return how many calls need no mending; every template reads the forms of others, too."""
    return sum(bool(action.tool) and not action.reply for action in actions.values())


def _of_task(rows: Sequence[_Row]) -> Iterator[Turn]:
    best = min(rows, key=lambda row: len(row.messages))
    before: Action | None = None
    for place, action in best.actions.items():
        same_beginning = [
            row.actions[place]
            for row in rows
            if place in row.actions
            and is_trained(row.messages[place])
            and _same(row.messages[:place], best.messages[:place])
        ]
        # A reply without a call (a mistake on the way to success) is not a reference, nor is one
        # that a student is not to learn.
        if accepted := tuple(action for action in same_beginning if action.tool):
            yield Turn(
                best.task,
                best.messages[:place],
                best.tools,
                best.template,
                accepted,
                before,
                None if before else False,
                place == max(best.actions),
            )
        before = action


def _same(one: Sequence[Message], other: Sequence[Message]) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _of_benchmark(file: Path, name: str) -> Iterator[Turn]:
    """Yield the turns of a benchmark, in the templates that they were frozen in."""
    for line in read_benchmark(file):
        kept = Reference.from_json(line["reference"])
        words = [one.text for one in kept.accepted if isinstance(one, Words)]
        calls = [one for one in kept.accepted if isinstance(one, Action)]
        parts = frozenset({"conclusion"}) if words else CALL
        yield Turn(
            kept.task,
            line["messages"][:-1],
            line["tools"],
            get_template(line["template"], kept.dialect, kept.source),
            tuple([in_words(text) for text in words] or calls),
            kept.before,
            kept.after_mistake,
            kept.last,
            tuple(Tool(*tool) for tool in kept.tools),
            parts | {"profile"} if kept.profile else parts,
            reader=_in_words if words else None,
        )


def _in_words(reply: Message) -> Action:
    return in_words(phases.words_of(reply.get("content") or ""))


def _of_kagentbench(file: Path, name: str) -> Iterator[Turn]:
    return kagentbench_turns(read_file(file), name)


_BY_COLUMN: dict[str, Callable[[Path, str], Iterator[Turn]]] = {
    HASH: _of_benchmark,
    GOLD: _of_kagentbench,
}
"""Readers of files of turns, by a column that only they have."""

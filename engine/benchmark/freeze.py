"""From runs to the turns of a benchmark: every reviewed step, with all that is right there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.benchmark.file import Line, Reference, Words, write_benchmark
from engine.benchmark.reviewed import Review, is_mistake, reviewed_steps
from engine.errors import UsageError
from engine.export.leak_check import check_row
from engine.play.correction import corrected_run
from engine.runs.annotations import (
    annotations_file,
    current_annotations,
    path_signatures,
    read_annotations,
)
from engine.runs.fingerprints import Fingerprint
from engine.runs.store import Store
from engine.templates import get as get_template
from engine.templates import phases
from engine.templates.base import Message, Template, World
from engine.templates.model_calls import model_calls
from engine.templates.registry import as_explored, source_of
from engine.templates.text import Text
from environments.tools import Tool
from environments.types import Action, Step, Task
from search.tree import Node, Tree

SPLIT = "test"
"""The split of every line: nobody is to train on a benchmark."""

State = tuple[str, str, int]
"""Task, signature of the path to a state, and which model call of the next step."""


@dataclass(slots=True)
class Frozen:
    """What a benchmark holds.

    Attributes:
        hash: Of its content.
        turns: Number of lines.
        tasks: Number of tasks.
        stale: Marks left out: their trees no longer have those nodes.
        reviewed: Number of turns by how they were reviewed.
    """

    hash: str = ""
    turns: int = 0
    tasks: int = 0
    stale: int = 0
    reviewed: dict[str, int] = field(default_factory=dict)


def freeze(runs: Sequence[Path], file: Path, template: str = "", by: str = "") -> Frozen:
    """Write the reviewed turns of `runs`, and of their corrections, to `file`.

    Args:
        runs: Folders of runs.
        file: The benchmark; one that is there already is not replaced.
        template: In which the turns are written; "" for each run's own.
        by: Who reviewed.

    Raises:
        UsageError: A run does not exist, nothing was reviewed, or another file is there.
        TemplateError: No such template.
        LeakError: A turn would show a secret of its task.
    """
    found, states = Frozen(), dict[State, tuple[Line, Reference]]()
    for run in _with_corrections(runs):
        _add_run(run, template, states, found)
    lines = []
    for line, reference in states.values():
        reference.reviewed["by"] = by
        how = reference.reviewed["how"]
        found.reviewed[how] = found.reviewed.get(how, 0) + 1
        lines.append({**line, "reference": reference.to_json()})
    if not lines:
        raise UsageError(
            "nothing was reviewed: mark a trajectory good in engine view, or correct a step with "
            "engine correct"
        )
    found.turns, found.tasks = len(lines), len({reference.task for _, reference in states.values()})
    found.hash = write_benchmark(lines, file)
    return found


def _with_corrections(runs: Sequence[Path]) -> list[Path]:
    """Return `runs`, each with the run of its corrected paths behind it, if there is one.

    Raises:
        UsageError: One of `runs` does not exist.
    """
    for run in runs:
        Store.open(run).close()
    both = [each for run in runs for each in (run, corrected_run(run))]
    kept = [each for each in both if each in runs or each.is_dir()]
    return list({each.resolve(): each for each in kept}.values())


def _add_run(
    run: Path, name: str, states: dict[State, tuple[Line, Reference]], found: Frozen
) -> None:
    marks = current_annotations(read_annotations(annotations_file(run)))
    with Store.open(run) as store:
        writer = _Writer.of(run.resolve().name, store.meta(), name)
        for tree in store.trees():
            signatures = path_signatures(tree)
            given = marks.pop(tree.task.id, [])
            current = [mark for mark in given if mark.matches(signatures)]
            found.stale += len(given) - len(current)
            for id, review in reviewed_steps(tree, current).items():
                node = tree.node(id)
                writer.check(tree, node, store.fingerprints(tree.task.id))
                for number, call in enumerate(writer.calls(tree, node)):
                    state = tree.task.id, signatures[node.parent], number
                    if state not in states:
                        line = writer.line(tree, node, number, call)
                        states[state] = line, writer.reference(tree, node, number, review)
                    accepted = writer.reply(tree.task, node, number, call)
                    if accepted not in (known := states[state][1].accepted):
                        known.append(accepted)
    found.stale += sum(map(len, marks.values()))


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the steps of one run in a template."""

    run: str
    env: str
    world: World
    template: Template
    name: str
    dialect: str
    source: str

    @classmethod
    def of(cls, run: str, meta: dict[str, Any], name: str) -> "_Writer":
        config, stored = meta["config"], meta["world"]
        own, own_text = config["template"], meta.get("template", "")
        wanted = name or as_explored(own, own_text)
        source = own_text if wanted == own else source_of(wanted)
        dialect = config.get("dialect", "") if not name or name == own else ""
        world = World(stored["instructions"], tuple(Tool(*tool) for tool in stored["tools"]))
        template = get_template(wanted, dialect, source)
        # A user's file is kept as text, without its folder; built-in templates have their names.
        file = Path(wanted).name if ".toml" in wanted else ""
        kept = source if file else ""
        return cls(run, config["env"], world, template, file or template.name, dialect, kept)

    def check(self, tree: Tree, node: Node, fingerprints: Sequence[Fingerprint]) -> None:
        """Check that the conversation up to a step shows no secret.

        Raises:
            LeakError: It does.
        """
        messages = self.template.render(self.world, tree.task, tree.path(node.id))
        check_row({"id": self._id(tree, node), "messages": messages}, fingerprints)

    def calls(self, tree: Tree, node: Node) -> list[list[Message]]:
        """Return the model calls of a step."""
        return model_calls(self.template, self.world, tree.task, tree.path(node.id))

    def line(self, tree: Tree, node: Node, number: int, call: list[Message]) -> Line:
        """Return the columns of a row of one model call."""
        return {
            "id": f"{self._id(tree, node)}#{number + 1}",
            "call": number + 1,
            "env": self.env,
            "source": tree.source,
            "split": SPLIT,
            "group": tree.task.group,
            "template": self.name,
            "messages": call,
            "tools": self.template.tools(self.world.of(tree.task)),
        }

    def reference(self, tree: Tree, node: Node, number: int, review: Review) -> Reference:
        """Return what replies are compared with; the accepted ones are still to come."""
        before, tools = tree.path(node.parent), self.world.of(tree.task).tools
        return Reference(
            tree.task.id,
            node.step.ended and (number > 0 or len(self.calls(tree, node)) == 1),
            _action(before),
            bool(before) and is_mistake(before),
            tools=[(tool.name, tool.description, tool.parameters) for tool in tools],
            dialect=self.dialect,
            source=self.source,
            profile=self._profile(tree.task),
            reviewed={"how": review.how, "at": review.at, "why": review.why},
        )

    def reply(self, task: Task, node: Node, number: int, call: list[Message]) -> Action | Words:
        """Return what the reply of a model call says."""
        if number:
            return Words(phases.words_of(call[-1]["content"]))
        found = self.template.parse(call[-1], self.world.of(task).tools)
        return Action(found.tool, found.arguments, found.thought)

    def _profile(self, task: Task) -> str:
        if isinstance(self.template, Text) and self.source:
            return self.template.profile(self.world, task)
        return ""

    def _id(self, tree: Tree, node: Node) -> str:
        return f"{self.run}/{tree.task.id}/{node.id}"


def _action(path: Sequence[Step]) -> Action | None:
    """Return the action of the last step, without what was not the environment's to see."""
    if not path:
        return None
    action = path[-1].action
    return Action(action.tool, action.arguments, action.thought)

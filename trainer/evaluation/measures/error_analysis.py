"""Where a run went wrong: by kind, in how many steps and tasks, and one task to look at."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from environments.types import Step
from search.tree import Tree
from trainer.evaluation.measures.statistics import Rate

FORMAT_ERRORS = ("malformed",)
INVALID = (*FORMAT_ERRORS, "unknown_tool", "bad_arguments")
"""Kinds in `info["error"]` of steps that called no tool as its schema allows."""

REPEATED, LOOP, GAVE_UP, CUT = "repeated action", "loop", "gave up", "out of steps"
_ERRORS = {
    "malformed": "format error",
    "unknown_tool": "unknown tool",
    "bad_arguments": "bad arguments",
}
KINDS = (*_ERRORS.values(), REPEATED, LOOP, GAVE_UP, CUT)
"""Those that every report names, 0 or not; an environment's own errors come after them.

repeated action: the same call, or the same text that is none, was made before on the path.
loop: the last p steps are the p steps before them, actions and observations, for some p.
gave up: by the tool `give_up`.   out of steps: the path was cut at --depth.
"""


@dataclass(frozen=True, slots=True)
class Mistake:
    """steps, tasks: those with it, of all.   example: the id of a task with it, "" if none."""

    steps: Rate
    tasks: Rate
    example: str = ""


@dataclass(slots=True)
class Mistakes:
    """Counts them over trees, one in memory at a time."""

    steps: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    tasks: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    nodes: int = 0
    trees: int = 0

    def add(self, tree: Tree) -> None:
        found = list(kinds(tree))
        self.nodes += len(tree.nodes)
        self.trees += 1
        for kind in found:
            self.steps[kind] = self.steps.get(kind, 0) + 1
        for kind in dict.fromkeys(found):
            self.tasks[kind] = self.tasks.get(kind, 0) + 1
            self.examples.setdefault(kind, tree.task.id)

    def summary(self) -> dict[str, Mistake]:
        """Of the tasks that have a tree."""
        return {
            kind: Mistake(
                Rate(number, self.nodes),
                Rate(self.tasks.get(kind, 0), self.trees),
                self.examples.get(kind, ""),
            )
            for kind, number in self.steps.items()
        }


def kinds(tree: Tree) -> Iterator[str]:
    """What is wrong with the steps of a tree; a step may be wrong in several ways."""
    for node in tree.nodes:
        step, path = node.step, tree.path(node.id)
        if error := step.info.get("error"):
            yield _ERRORS.get(str(error), f"{error} error")
        if any(step.action.key == earlier.action.key for earlier in path[:-1]):
            yield REPEATED
        if loops(path):
            yield LOOP
        if step.info.get("gave_up"):
            yield GAVE_UP
        if step.info.get("cut") == "depth":
            yield CUT


def loops(path: tuple[Step, ...]) -> bool:
    """Whether the last steps are a second time round: the last p equal the p before them."""
    seen = [(step.action.key, step.observation) for step in path]
    return any(
        seen[-period:] == seen[-2 * period : -period] for period in range(1, len(seen) // 2 + 1)
    )

"""Errors by kind: in how many steps and tasks, and an example task."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from environments.types import Step
from search.tree import Tree
from trainer.evaluation.measures.statistics import Rate

FORMAT_ERRORS = ("malformed",)
INVALID = (*FORMAT_ERRORS, "unknown_tool", "bad_arguments")
"""Values of `info["error"]` for steps that did not call a tool as its schema allows."""

REPEATED, LOOP, GAVE_UP, CUT = "repeated action", "loop", "gave up", "out of steps"
_ERRORS = {
    "malformed": "format error",
    "unknown_tool": "unknown tool",
    "bad_arguments": "bad arguments",
}
_COMPLETE = ("denied", "exception", "lost", "stopped", "timeout")
"""Kinds that say what happened without the word "error"."""
KINDS = (*_ERRORS.values(), REPEATED, LOOP, GAVE_UP, CUT)
"""Kinds that every report lists, even with count 0; others that occur follow them.

incomplete reply: the token limit or a filter ended it, or it holds reasoning only: also a format
    error. It is listed where it occurs, by its reason.
repeated action: the same call, or the same malformed reply, occurred earlier on the path.
loop: for some p, the last p steps equal the p steps before them, in actions and observations.
gave up: the tool `give_up` was called.
out of steps: the path was cut at --depth.
"""


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """How often one kind of error occurs.

    Attributes:
        steps: Steps with it, of all steps.
        tasks: Tasks with it, of all tasks that have a tree.
        example: Id of a task with it; "" if there is none.
    """

    steps: Rate
    tasks: Rate
    example: str = ""


@dataclass(slots=True)
class ErrorTally:
    """Counts of errors over trees, which are added one at a time."""

    steps: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    tasks: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    nodes: int = 0
    trees: int = 0

    def add(self, tree: Tree) -> None:
        """Count the errors of a tree."""
        found = list(kinds(tree))
        self.nodes += len(tree.nodes)
        self.trees += 1
        for kind in found:
            self.steps[kind] = self.steps.get(kind, 0) + 1
        for kind in dict.fromkeys(found):
            self.tasks[kind] = self.tasks.get(kind, 0) + 1
            self.examples.setdefault(kind, tree.task.id)

    def summary(self) -> dict[str, ErrorRate]:
        """Return the rates by kind."""
        return {
            kind: ErrorRate(
                Rate(number, self.nodes),
                Rate(self.tasks.get(kind, 0), self.trees),
                self.examples.get(kind, ""),
            )
            for kind, number in self.steps.items()
        }


def error_words(kind: str) -> str:
    """Return the words for a value of `info["error"]`: "sql" and "sql_error" are "sql error"."""
    words = kind.replace("_", " ")
    alone = " " in words or words.lower().endswith("error") or words in _COMPLETE
    return _ERRORS.get(kind, words if alone else f"{words} error")


def kinds(tree: Tree) -> Iterator[str]:
    """Yield the kind of each error in a tree; one step may have several."""
    for node in tree.nodes:
        step, path = node.step, tree.path(node.id)
        if error := step.info.get("error"):
            yield error_words(str(error))
        if reason := step.incomplete:
            yield f"incomplete reply ({reason})"
        if any(step.action.key == earlier.action.key for earlier in path[:-1]):
            yield REPEATED
        if loops(path):
            yield LOOP
        if step.info.get("gave_up"):
            yield GAVE_UP
        if step.info.get("cut") == "depth":
            yield CUT


def loops(path: tuple[Step, ...]) -> bool:
    """Return whether, for some p, the last p steps equal the p steps before them."""
    states = [(step.action.key, step.observation) for step in path]
    return any(
        states[-period:] == states[-2 * period : -period]
        for period in range(1, len(states) // 2 + 1)
    )

"""Runs of hand-made trees, written as `engine explore` writes them."""

from collections.abc import Sequence
from pathlib import Path

from engine.runs.store import Store
from environments import Action, Step, Task
from search import Tree
from search.tree import ROOT

WORLD = {
    "instructions": "Answer.",
    "tools": [
        ["look", "Look.", {"type": "object"}],
        ["answer", "Answer.", {"type": "object"}],
    ],
}


def store(
    folder: Path,
    trees: Sequence[Tree],
    template: str = "react",
    search: str = "dfsdt",
    teacher: str = "hand",
) -> Path:
    with Store.create(folder) as run:
        config = {"template": template, "env": "none", "search": search, "teacher": teacher}
        run.set_meta({"config": config, "world": WORLD, "template": ""})
        for tree in trees:
            run.add_tree(tree)
    return folder


def look(table: str, thought: str = "", **info: object) -> Step:
    return Step(Action("look", {"table": table}, thought), f"rows of {table}", info=info)


def answer(text: str, reward: float = 1.0, thought: str = "") -> Step:
    return Step(Action("answer", {"text": text}, thought), "", reward, terminated=True)


def chain(tree: Tree, *steps: Step, at: int = ROOT) -> int:
    """Add a path below `at`; return the id of its last node."""
    for step in steps:
        at = tree.add(at, step).id
    return at


def valued(id: str = "t1") -> Tree:
    """A tree of `engine credit`: look a (failed), look b (solved); then eight continuations.

    The start is worth 0, 1, 1, 0: a mean of 1/2. `look a` is worth 0, 1, 0, 0, a mean of 1/4;
    `look b` is worth 1, 1. `look c` was taken once.
    """
    made = Tree(Task(id, "How many?"), "hand")
    a = chain(made, look("a"))
    b = chain(made, look("b"))
    chain(made, answer("x", 0.0), at=a)
    chain(made, answer("right"), at=b)
    made.searched = len(made.nodes)
    chain(made, look("a"), answer("x", 0.0))
    chain(made, look("a"), answer("right"))
    chain(made, look("b"), answer("right"))
    chain(made, look("c"), answer("x", 0.0))
    chain(made, answer("x", 0.0), at=a)
    chain(made, answer("y", 0.0), at=a)
    chain(made, answer("right"), at=b)
    return made


def tree(id: str, *steps: Step, prompt: str = "How many?") -> Tree:
    """A tree of one path."""
    made = Tree(Task(id, prompt), "hand")
    chain(made, *steps)
    return made

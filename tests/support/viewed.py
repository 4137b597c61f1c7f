"""Small runs for the tests of exports and of the viewer, built as trees."""

from pathlib import Path
from random import Random

from engine.runs.failure import Failure
from engine.runs.store import Store
from environments import Action, Step, Task
from search import ROOT, Tree
from search.tree import Call
from search.usage import Usage
from tests.support.configs import make_config
from treegraft.errors import TreegraftError

GOLD = "SELECT name FROM people WHERE age > 30"
ATTACK = (
    "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
    "<!--<script>\u2028\u2029"
)
"""What a hostile model might write."""
TEXT = {"type": "object", "properties": {"at": {"type": "string"}}}
WORLD = {"instructions": "Answer.", "tools": [["look", "Look.", TEXT], ["answer", "A.", TEXT]]}


def look(at: str, seen: str = "rows") -> Step:
    return Step(Action("look", {"at": at}, f"look at {at}"), seen)


def answer(at: str, reward: float = 0.0, **info: object) -> Step:
    return Step(Action("answer", {"at": at}, "I know"), "submitted", reward, True, info=info)


def searched(id: str = "t1", prompt: str = "Who is over 30?") -> Tree:
    """look b -> two failures; look a -> wrong answer, right answer. One request per node."""
    task = Task(id, prompt, {"sql": GOLD}, group="people", split="train")
    tree = Tree(task, "teacher-1", stopped="solved")
    grow(tree, ROOT, look("b"))
    grow(tree, 1, answer("SELECT 1"))
    grow(tree, 1, answer("SELECT 2"))
    grow(tree, ROOT, look("a"))
    grow(tree, 4, answer("SELECT name FROM people WHERE age > 20", strict=False))
    grow(tree, 4, answer(GOLD, 1.0))
    return tree


def grow(tree: Tree, parent: int, step: Step) -> int:
    """Add `step` with a request of 100 + 20 tokens and 1/64 dollar; return the node's id."""
    tree.calls.append(Call(parent, "", Usage(1, 100, 20, 0, 2**-6)))
    return tree.add(parent, step, len(tree.calls) - 1).id


def bushy(id: str, nodes: int, seed: int = 0) -> Tree:
    """A tree of `nodes` nodes, up to 10 deep; its last leaf is the only success."""
    tree, random = Tree(Task(id, "Find it."), "teacher-1", stopped="solved"), Random(seed)
    states = [ROOT]
    while len(tree.nodes) < nodes - 1:
        parent = random.choice(states[-40:])
        if len(tree.lineage(parent)) >= 9 or random.random() < 0.4:
            grow(tree, parent, answer(f"wrong {len(tree.nodes)}"))
        else:
            states.append(grow(tree, parent, look(str(len(tree.nodes)), "a row " * 40)))
    grow(tree, states[-1], answer("right", 1.0))
    return tree


def run_of(folder: Path, *trees: Tree) -> Path:
    """A run with these trees in `folder`."""
    with Store.create(folder) as store:
        store.set_meta({"config": make_config("arms").to_dict(), "world": WORLD})
        for tree in trees:
            store.add_tree(tree)
    return folder


def fail(store: Store, task: Task, error: TreegraftError) -> None:
    """Record that `task` failed, as a run does."""
    store.add_failure(task, Failure.of(task, error))

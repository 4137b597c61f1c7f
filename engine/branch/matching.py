"""Which tasks of a world the failed paths of a run belong to."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from engine.runs.store import Store
from environments import Task
from search import Tree
from search.failed_paths import failed_paths


@dataclass(slots=True)
class Matched:
    """The failed paths of a run, by the tasks of a world.

    Attributes:
        trees: The ids of the run's tasks with failed paths, by the id of the world's task.
        unmatched: The ids of those that the world has no task for.
        longest: Steps of the longest failed path.
    """

    trees: dict[str, list[str]] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)
    longest: int = 0


def with_ends(tree: Tree) -> Tree:
    """Return an imported tree with its open ends as failures; another tree as it is.

    A path is open if its record holds no reward. The world says what it is worth.
    """
    if tree.task.opening is None:
        return tree
    inner = {node.parent for node in tree.nodes}
    nodes = [
        node if node.id in inner else replace(node, step=replace(node.step, truncated=True))
        for node in tree.nodes
    ]
    return replace(tree, nodes=nodes, _children={})


def match(store: Store, tasks: Mapping[str, Task]) -> Matched:
    """Match the tasks of a run with `tasks` by id, else by a prompt that one of them has."""
    found, prompts = Matched(), Counter(task.prompt for task in tasks.values())
    by_prompt = {task.prompt: id for id, task in tasks.items() if prompts[task.prompt] == 1}
    for tree in map(with_ends, store.trees()):
        longest = max(map(len, failed_paths(tree)), default=0)
        if not longest:
            continue
        id = tree.task.id if tree.task.id in tasks else by_prompt.get(tree.task.prompt)
        if id is None:
            found.unmatched.append(tree.task.id)
        else:
            found.trees.setdefault(id, []).append(tree.task.id)
            found.longest = max(found.longest, longest)
    return found

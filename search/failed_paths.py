"""Which paths of a tree failed, and after which step of one the value of its states falls."""

from collections.abc import Iterator, Sequence

from search.tree import ROOT, Node, Tree
from search.values import Values


def failed_paths(tree: Tree) -> Iterator[list[Node]]:
    """Yield the paths of a tree that ended without success, in the order found.

    Those with the actions of an earlier one are left out, and so are the continuations of
    `engine credit`: they were played to value a state.
    """
    seen: set[tuple[str, ...]] = set()
    for leaf in tree.leaves():
        path = tree.lineage(leaf.id)
        actions = tuple(node.step.action.key for node in path)
        played_on = tree.searched and leaf.id > tree.searched
        if not (leaf.step.solved or played_on or actions in seen):
            seen.add(actions)
            yield path


def steps_before_fall(values: Values, path: Sequence[Node], below: float) -> int:
    """Return after how many steps of a path the value of the state is last known as not low.

    The next state with a known value is the first one whose value is lower than `below`. The start
    counts as not low if nothing is known of it.
    """
    good = 0
    for number, node in enumerate((ROOT, *(node.id for node in path))):
        value = values.of(node)
        if value is not None and value.mean < below:
            return good
        if value is not None:
            good = number
    return min(good, len(path) - 1)

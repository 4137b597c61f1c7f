"""Which nodes a DPO row was made of."""

from collections.abc import Callable

from engine.export.rows import Row
from engine.templates.base import Message
from search.tree import Node, Tree


def halves(tree: Tree, row: Row, written: Callable[[Node], Message]) -> tuple[Node, Node]:
    """The two siblings at which the chosen and the rejected half of a pair begin.

    written: the assistant's message that a node adds, in the row's template. Siblings differ in
    their actions, and a template writes no two actions alike (`parse` undoes `render`); so what
    the rejected half begins with tells which sibling it is.
    """
    end_of_success = int(row["id"].rpartition("/")[2])
    chosen = tree.lineage(end_of_success)[row["depth"]]
    for sibling in tree.children(chosen.parent):
        if sibling.id != chosen.id and written(sibling) == row["rejected"][0]:
            return chosen, sibling
    raise AssertionError(f"row {row['id']} is not of this tree")

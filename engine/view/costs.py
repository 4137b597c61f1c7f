"""What each part of a tree cost."""

from typing import Any

from search.tree import Tree
from search.usage import Usage


def costs(tree: Tree) -> list[Usage]:
    """By node id, ROOT first: what the node and all below it cost; ROOT's is the tree's.

    A request counts where the first node that it brought is; one that brought none (repeats, a
    judge's) in the state that it was made in.
    """
    found = [Usage()] * (len(tree.nodes) + 1)
    at = [call.state for call in tree.calls]
    for node in reversed(tree.nodes):
        if node.call >= 0:
            at[node.call] = node.id
    for call, where in zip(tree.calls, at, strict=True):
        found[where] += call.usage
    for node in reversed(tree.nodes):  # children have greater ids than their parents
        found[node.parent] += found[node.id]
    return found


def first_success(tree: Tree) -> dict[str, Any] | None:
    """How deep the first solution lies, and what all was spent until it was found; None without."""
    winners = tree.winners()
    if not winners:
        return None
    first = winners[0]
    spent = sum((call.usage for call in tree.calls[: first.call + 1]), Usage())
    return {
        "depth": len(tree.lineage(first.id)),
        "calls": spent.calls,
        "tokens": spent.tokens,
        "usd": spent.usd,
    }


def totals(used: Usage) -> dict[str, Any]:
    return {"calls": used.calls, "tokens": used.tokens, "usd": round(used.usd, 9)}

"""What the parts of a tree cost."""

from typing import Any

from search.tree import Tree
from search.usage import Usage


def subtree_costs(tree: Tree) -> list[Usage]:
    """Return, by node id and for ROOT first, what the node and everything below it cost.

    A request counts at the first node it proposed. A request that led to no node (it proposed
    only repeats, or a judge's question) counts at the state it was made in.
    """
    costs = [Usage()] * (len(tree.nodes) + 1)
    counted_at = [call.state for call in tree.calls]
    for node in reversed(tree.nodes):
        if node.call >= 0:
            counted_at[node.call] = node.id
    for call, id in zip(tree.calls, counted_at, strict=True):
        costs[id] += call.usage
    for node in reversed(tree.nodes):  # children have greater ids than their parents
        costs[node.parent] += costs[node.id]
    return costs


def first_success(tree: Tree) -> dict[str, Any] | None:
    """Return the depth of the first solution and all costs until then; None if not solved."""
    winners = tree.winners()
    if not winners:
        return None
    first = winners[0]
    spent = sum((call.usage for call in tree.calls[: first.call + 1]), Usage())
    depth = len(tree.lineage(first.id))
    return {"depth": depth, "calls": spent.calls, "tokens": spent.tokens, "usd": spent.usd}


def usage_totals(usage: Usage) -> dict[str, Any]:
    """Return calls, tokens and dollars as JSON values."""
    return {"calls": usage.calls, "tokens": usage.tokens, "usd": round(usage.usd, 9)}

"""pass@k: how likely one of k chains solves a task, from n >= k chains that were played."""

from collections.abc import Mapping
from math import comb

from search.tree import ROOT, Tree
from trainer.evaluation.measures.statistics import Estimate, estimate


def pass_at(k: int, chains: int, solved: int) -> float:
    """The unbiased estimate of pass@k of one task (Chen et al. 2021, arXiv:2107.03374, section
    2.1): 1 less the share of the k-subsets of its chains in which none solved it.

    k: at least 1, at most `chains`.
    """
    return 1 - comb(chains - solved, k) / comb(chains, k)


def chains(tree: Tree) -> tuple[int, int]:
    """How many independent chains a tree is, and how many of them solved the task; (0, 0) for a
    tree that branches elsewhere than in its start state."""
    if any(len(tree.children(node.id)) > 1 for node in tree.nodes):
        return 0, 0
    return len(tree.children(ROOT)), len(tree.winners())


def curve(played: Mapping[str, tuple[int, int]], failed: int = 0) -> dict[str, Estimate]:
    """pass@1, pass@2, pass@4, ..., by k as text, with intervals by bootstrap over tasks.

    Empty where tasks have different numbers of chains (a search that stops at a success draws no
    sample), and where they have one each: that is the solve rate.

    played: chains and successes of each task, by its id.   failed: tasks without a tree.
    """
    numbers = {number for number, _ in played.values()}
    if len(numbers) != 1 or (most := numbers.pop()) < 2:
        return {}
    solved = [won for _, won in played.values()] + [0] * failed
    found = {}
    for power in range(most.bit_length()):
        k = 1 << power
        mean = estimate(((pass_at(k, most, won), 1) for won in solved), share=True)
        assert mean is not None
        found[str(k)] = mean
    return found

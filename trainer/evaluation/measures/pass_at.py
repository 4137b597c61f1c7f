"""pass@k: how likely at least one of k chains solves a task, from n >= k chains."""

from collections.abc import Mapping
from math import comb

from search.tree import ROOT, Tree
from trainer.evaluation.measures.statistics import Estimate, estimate


def pass_at(k: int, chains: int, solved: int) -> float:
    """Return the unbiased estimate of pass@k for one task: Chen et al. 2021, section 2.1.

    It is 1 less the share of k-subsets of its chains in which no chain solved it
    (arXiv:2107.03374).

    Args:
        k: From 1 to `chains`.
        chains: Chains of the task.
        solved: Chains that solved it.
    """
    return 1 - comb(chains - solved, k) / comb(chains, k)


def chains(tree: Tree) -> tuple[int, int]:
    """Return the number of independent chains of a tree, and of those that solved the task.

    A chain that started anew after it gave up is one.

    (0, 0) if the tree branches below its start state.
    """
    if any(len(tree.children(node.id)) > 1 for node in tree.nodes):
        return 0, 0
    begun = [node for node in tree.children(ROOT) if not node.attempts]
    return len(begun), len(tree.winners())


def curve(chains: Mapping[str, tuple[int, int]], failed: int = 0) -> dict[str, Estimate]:
    """Return pass@1, pass@2, pass@4, ..., by k as text, with intervals by bootstrap over tasks.

    Empty if tasks differ in the number of chains (a search that stops at its first success is not
    a sample of chains), and if each has one chain, since pass@1 is then the solve rate.

    Args:
        chains: Chains and solved chains of each task, by its id.
        failed: Tasks without a tree.
    """
    numbers = {number for number, _ in chains.values()}
    if len(numbers) != 1 or (most := numbers.pop()) < 2:
        return {}
    solved_chains = [solved for _, solved in chains.values()] + [0] * failed
    means = {}
    for power in range(most.bit_length()):
        k = 1 << power
        mean = estimate(((pass_at(k, most, solved), 1) for solved in solved_chains), share=True)
        assert mean is not None
        means[str(k)] = mean
    return means

"""Search trees, the policy protocol, and the searches: DFSDT and its siblings."""

from collections.abc import Mapping

from search.base import Search
from search.beam import Beam
from search.best_first import BestFirst
from search.branching import Branching
from search.budget import TaskBudget
from search.continuations import Continuations
from search.cot import Cot
from search.dfsdt import Dfsdt
from search.mcts import Mcts
from search.policy import BudgetSpent, Judge, Judgement, Policy, PolicyError, Proposal, Request
from search.react import React
from search.tree import ROOT, Call, Node, Tree
from search.usage import Usage

__all__ = [
    "PLAYED_ON",
    "ROOT",
    "SEARCHES",
    "Beam",
    "BestFirst",
    "Branching",
    "BudgetSpent",
    "Call",
    "Continuations",
    "Cot",
    "Dfsdt",
    "Judge",
    "Judgement",
    "Mcts",
    "Node",
    "Policy",
    "PolicyError",
    "Proposal",
    "React",
    "Request",
    "Search",
    "TaskBudget",
    "Tree",
    "Usage",
]

SEARCHES: Mapping[str, type[Search]] = {
    search.name: search for search in (Dfsdt, React, Cot, Beam, BestFirst, Mcts)
}
"""Name on the command line -> search."""

PLAYED_ON: Mapping[str, type[Search]] = {
    search.name: search for search in (Continuations, Branching)
}
"""The searches that play on from earlier trees: their trees hold continuations, so that states have
values. Their own commands run them (`engine credit`, `engine branch`)."""

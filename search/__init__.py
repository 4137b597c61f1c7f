"""Which state to expand next: trees, the policy protocol, DFSDT and its siblings."""

from search.beam import Beam, beam
from search.best_first import BestFirst, best_first
from search.dfsdt import Dfsdt, dfsdt
from search.limits import Limits
from search.mcts import Mcts, mcts
from search.policy import BudgetSpent, Judge, Judgement, Policy, PolicyError, Proposal
from search.react import react
from search.tree import ROOT, Call, Node, Tree
from search.usage import Usage

__all__ = [
    "ROOT",
    "Beam",
    "BestFirst",
    "BudgetSpent",
    "Call",
    "Dfsdt",
    "Judge",
    "Judgement",
    "Limits",
    "Mcts",
    "Node",
    "Policy",
    "PolicyError",
    "Proposal",
    "Tree",
    "Usage",
    "beam",
    "best_first",
    "dfsdt",
    "mcts",
    "react",
]

"""Which state to expand next: trees, the policy protocol, DFSDT and its siblings."""

from search.dfsdt import dfsdt
from search.limits import Limits
from search.policy import BudgetSpent, Policy, PolicyError, Proposal
from search.react import react
from search.tree import ROOT, Call, Node, Tree
from search.usage import Usage

__all__ = [
    "ROOT",
    "BudgetSpent",
    "Call",
    "Limits",
    "Node",
    "Policy",
    "PolicyError",
    "Proposal",
    "Tree",
    "Usage",
    "dfsdt",
    "react",
]

"""Best-first search: always expand the open state of the highest value, wherever it is. Values are
a judge's (Koh et al. 2024, Tree Search for Language Model Agents, arXiv:2407.01476, section 3)."""

from dataclasses import dataclass
from heapq import heappop, heappush

from environments.base import ToolEnv
from environments.types import Task
from search.expand import Siblings, expand
from search.judging import values
from search.limits import Limits
from search.policy import Judge, Policy
from search.tree import ROOT, Tree
from search.walk import walking


@dataclass(frozen=True, slots=True)
class BestFirst:
    """judge: tells the values.   siblings: see `search.expand.Siblings`."""

    judge: Judge
    siblings: Siblings = "diverse"


async def best_first(
    env: ToolEnv, task: Task, policy: Policy, limits: Limits, how: BestFirst
) -> Tree:
    """Expand the best open state to `limits.width` children, value these, and so on.

    Of equal values the deepest comes first, then the first visited. Nothing is pruned: the search
    ends "exhausted" only when every state has been expanded.
    """
    async with walking(env, task, policy, limits) as walk:
        open_: list[tuple[float, int, int]] = [(0.0, 0, ROOT)]  # -value, -depth, id
        while open_ and not walk.solved and walk.affordable:
            *_, at = heappop(open_)
            children = await expand(walk, at, how.siblings)
            found = await values(walk, how.judge, [n for n in children if not n.step.ended])
            depth = len(walk.tree.lineage(at)) + 1
            for id, value in (found or {}).items():
                heappush(open_, (-value, -depth, id))
    return walk.tree

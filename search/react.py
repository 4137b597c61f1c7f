"""Independent chains of thought and action: ReAct (Yao et al. 2022, arXiv:2210.03629), n times.

With `limits.width` chains and `limits.solved` = `limits.width` this measures pass@n.
"""

from environments.base import ToolEnv
from environments.types import Task
from search.limits import Limits
from search.policy import Policy
from search.tree import ROOT, Tree
from search.walk import walking


async def react(env: ToolEnv, task: Task, policy: Policy, limits: Limits) -> Tree:
    """Play up to `limits.width` chains from the start state; stop at `limits.solved` successes.

    The chains are independent draws: none is told of another, and equal ones are kept apart. Each
    begins with a reset, and no state is saved.
    A request that cannot be paid ends the search; its chain stays open in the tree.
    """
    async with walking(env, task, policy, limits) as walk:
        for chain in range(limits.width):
            at = ROOT
            while walk.affordable:
                draws = await walk.ask(at, attempt=chain)
                if not draws:
                    break
                node = await walk.take(at, draws[0], last=True)
                if node.step.ended:
                    break
                at = node.id
            if walk.solved:
                break
    return walk.tree

"""Independent chains of thought and action: ReAct (Yao et al. 2022, arXiv:2210.03629), n times.

With `limits.width` chains and `limits.solved` = `limits.width` this measures pass@n.
"""

from environments.base import ToolEnv
from environments.types import Task
from search.limits import Limits
from search.policy import Policy
from search.tree import ROOT, Tree
from search.walk import Walk


async def react(env: ToolEnv, task: Task, policy: Policy, limits: Limits) -> Tree:
    """Play up to `limits.width` chains from the start state; stop at `limits.solved` successes.

    The chains are independent draws: none is told of another, and equal ones are kept apart.
    A request that cannot be paid ends the search; its chain stays open in the tree.
    """
    walk = await Walk.begin(env, task, policy, limits)
    for chain in range(limits.width):
        if walk.solved or not walk.affordable:
            break
        at = ROOT
        while walk.affordable:
            draws = await walk.ask(at, attempt=chain)
            if not draws:
                break
            node = await walk.take(at, draws[0])
            if at != ROOT:  # every chain starts there
                await walk.close(at)
            if node.step.ended:
                break
            at = node.id
    return await walk.end()

"""Beam search: breadth first, with the best few states of each level kept. Values are a judge's, as
in Tree of Thoughts' breadth-first search (Yao et al. 2023, arXiv:2305.10601, algorithm 1)."""

from dataclasses import dataclass

from environments.base import ToolEnv
from environments.types import Task
from search.expand import Siblings, expand
from search.judging import values
from search.limits import Limits
from search.policy import Judge, Policy
from search.tree import ROOT, Node, Tree
from search.walk import Walk, walking


@dataclass(frozen=True, slots=True)
class Beam:
    """judge: tells the values.   beam_size: open states kept of each level.
    siblings: see `search.expand.Siblings`."""

    judge: Judge
    beam_size: int = 2
    siblings: Siblings = "diverse"


async def beam(env: ToolEnv, task: Task, policy: Policy, limits: Limits, how: Beam) -> Tree:
    """Expand the states of a level, each to `limits.width` children; then the best of these.

    States that are not kept are closed as "pruned". A level that fits is kept without asking the
    judge. Ends when no state of the last level is open.
    """
    async with walking(env, task, policy, limits) as walk:
        level = [ROOT]
        while level and not walk.solved:
            children: list[Node] = []
            for at in level:
                children += await expand(walk, at, how.siblings)
            level = await _kept(walk, how, [node for node in children if not node.step.ended])
    return walk.tree


async def _kept(walk: Walk, how: Beam, nodes: list[Node]) -> list[int]:
    """The ids of the best, best first; those of equal value in the order visited."""
    if walk.solved or len(nodes) <= how.beam_size:
        return [node.id for node in nodes]
    found = await values(walk, how.judge, nodes)
    if found is None:
        return []  # nothing more can be paid: all of them stay open
    best = sorted(nodes, key=lambda node: -found[node.id])
    for node in best[how.beam_size :]:
        await walk.close(node.id, "pruned")
    return [node.id for node in best[: how.beam_size]]

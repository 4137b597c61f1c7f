"""Beam search: breadth first, keeping the best few states of each level.

A judge gives the values, as in Tree of Thoughts' breadth-first search (Yao et al. 2023,
arXiv:2305.10601, algorithm 1).
"""

from dataclasses import dataclass, field

from search.base import Search
from search.episode import Episode
from search.expand import Siblings, expand
from search.judging import values
from search.restarts import Restarts
from search.tree import ROOT, Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Beam(Search):
    """Expand every state of a level, then keep the best.

    States that are not kept are closed as "pruned". A level that fits is kept without asking the
    judge. The search ends when no state of the last level is open.

    Attributes:
        siblings: How children are drawn: "diverse" (one at a time, each different from those
            tried) or "sample" (all at once).
        beam_size: States kept per level.
    """

    name = "beam"

    siblings: Siblings = "diverse"
    beam_size: int = field(default=2, metadata={"min": 1})

    @property
    def needs_judge(self) -> bool:
        """Whether the search asks a judge."""
        return True

    @property
    def _most_states(self) -> int:
        return 1 + (self.depth - 1) * self.beam_size

    async def explore(self, episode: Episode) -> None:
        """Go down level by level."""
        level, restarts = [ROOT], Restarts(episode)
        while level and not episode.solved:
            children: list[Node] = []
            for at in level:
                new = await expand(episode, at, self.siblings)
                children += [*new, *await restarts.after_any(new)]
            level = await self._best(episode, [node for node in children if not node.step.ended])

    async def _best(self, episode: Episode, nodes: list[Node]) -> list[int]:
        """Return the ids of the best nodes, best first; equal values keep the order visited."""
        if episode.solved or len(nodes) <= self.beam_size:
            return [node.id for node in nodes]
        found = await values(episode, nodes)
        if found is None:
            return []  # the budget is spent: all of them stay open
        best = sorted(nodes, key=lambda node: -found[node.id])
        for node in best[self.beam_size :]:
            await episode.close(node.id, "pruned")
        return [node.id for node in best[: self.beam_size]]

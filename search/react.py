"""Independent chains of thought and action: ReAct (Yao et al. 2022, arXiv:2210.03629), n times."""

from dataclasses import dataclass

from search.base import Search
from search.episode import Episode
from search.restarts import Restarts
from search.tree import ROOT, Node


@dataclass(frozen=True, slots=True, kw_only=True)
class React(Search):
    """Play `width` chains from the start state.

    The chains are independent draws: none sees another, and equal ones are kept apart. Each begins
    with a reset, and no state is saved. With `max_solutions` = `width` this measures pass@n.
    """

    name = "react"

    async def explore(self, episode: Episode) -> None:
        """Play the chains. One that cannot be paid to its end stays open in the tree."""
        for chain in range(self.width):
            await self._play(episode, chain)
            if episode.solved:
                break

    async def _play(self, episode: Episode, chain: int) -> None:
        restarts, at = Restarts(episode), ROOT
        while episode.affordable:
            draws = await episode.ask(at, attempt=chain)
            if not draws:
                return
            node: Node | None = await episode.take(at, draws[0], last=True)
            while node is not None and node.step.ended:
                node = await restarts.after(node, chain)
            if node is None:
                return
            at = node.id

"""Independent chains of thought and action: ReAct (Yao et al. 2022, arXiv:2210.03629), n times."""

from dataclasses import dataclass, field

from search.base import Search
from search.episode import Episode
from search.judging import reflect
from search.restarts import Restarts
from search.tree import ROOT, Node


@dataclass(frozen=True, slots=True, kw_only=True)
class React(Search):
    """Play `width` chains from the start state.

    The chains are independent draws: none sees another, and equal ones are kept apart. Each begins
    with a reset, and no state is saved. With `max_solutions` = `width` this measures pass@n.

    With `reflections` it is Reflexion (Shinn et al. 2023, arXiv:2303.11366): the later attempts see
    what went wrong in the earlier ones.

    Attributes:
        reflections: Failed paths per task that the judge reflects on; later proposals see the
            reflections.
    """

    name = "react"

    reflections: int = field(default=0, metadata={"min": 0})

    @property
    def needs_judge(self) -> bool:
        """Whether the search asks a judge."""
        return self.reflections > 0

    @property
    def most_requests(self) -> int:
        """See `Search`: one request for each step of each attempt."""
        steps = self.width * (1 + self.restarts) * self.depth
        return self._again * (steps + self._reflected)

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
                if chain + 1 < self.width or restarts.follows(node):
                    await self._reflect(episode, node)
                node = await restarts.after(node, chain)
            if node is None:
                return
            at = node.id

    async def _reflect(self, episode: Episode, leaf: Node) -> None:
        failed = sum(not each.step.solved for each in episode.tree.leaves())
        if not leaf.step.solved and failed <= self.reflections:
            await reflect(episode, leaf)

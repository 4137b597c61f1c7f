"""The answer at once, without a tool before it: chain of thought (arXiv:2201.11903)."""

from dataclasses import dataclass, field

from search.base import Search
from search.episode import Episode
from search.tree import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Cot(Search):
    """Draw the answer `width` times; the policy is allowed no other tool.

    The thought before the answer is the reasoning. With `react`, and `react --reflections`, it
    gives the three kinds of trajectories that FireAct mixes (Chen et al. 2023, arXiv:2310.05915).
    """

    name = "cot"

    depth: int = field(default=1, metadata={"min": 1, "max": 1})
    restarts: int = field(default=0, metadata={"min": 0, "max": 0})

    @property
    def most_requests(self) -> int:
        """See `Search`: one request for each answer."""
        return self._again * self.width

    async def explore(self, episode: Episode) -> None:
        """Draw answers until enough are right."""
        for number in range(self.width):
            if episode.solved or not episode.affordable:
                break
            for draw in await episode.ask(ROOT, attempt=number, answer_only=True):
                await episode.take(ROOT, draw, last=True)

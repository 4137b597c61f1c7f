"""Best-first search: always expand the open state of the highest value, wherever it is.

A judge gives the values (Koh et al. 2024, Tree Search for Language Model Agents,
arXiv:2407.01476, section 3).
"""

from dataclasses import dataclass
from heapq import heappop, heappush

from search.base import Search
from search.episode import Episode
from search.expand import Siblings, expand
from search.judging import values
from search.restarts import Restarts
from search.tree import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class BestFirst(Search):
    """Expand the best open state, value its children, and repeat.

    Among equal values the deepest comes first, then the first visited. Nothing is pruned: the
    search ends "exhausted" only when every state has been expanded.

    Attributes:
        siblings: How children are drawn: "diverse" (one at a time, each different from those
            tried) or "sample" (all at once).
    """

    name = "best_first"

    siblings: Siblings = "diverse"

    @property
    def needs_judge(self) -> bool:
        """Whether the search asks a judge."""
        return True

    async def explore(self, episode: Episode) -> None:
        """Expand the best state until none is open."""
        open_: list[tuple[float, int, int]] = [(0.0, 0, ROOT)]  # -value, -depth, id
        restarts = Restarts(episode)
        while open_ and not episode.solved and episode.affordable:
            *_, at = heappop(open_)
            children = await expand(episode, at, self.siblings)
            children += await restarts.after_any(children)
            found = await values(episode, [node for node in children if not node.step.ended])
            for id, value in (found or {}).items():
                heappush(open_, (-value, -len(episode.tree.lineage(id)), id))

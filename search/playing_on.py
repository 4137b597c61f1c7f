"""Moves of the searches that play on from states of an earlier tree."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from search.episode import Draw, Episode
from search.tree import SPLICED, Node


@dataclass(slots=True)
class PlayingOn:
    """Lets a policy go on from states of one tree.

    Attributes:
        asked: How often the policy was asked after each path; equal requests differ by that number.
    """

    episode: Episode
    asked: Counter[tuple[str, ...]] = field(default_factory=Counter)

    async def play(self, at: int) -> Node | None:
        """Play on from a state to the end of a path; None if that cannot be paid."""
        tree, first = self.episode.tree, at
        while self.episode.affordable:
            path = tuple(f"{s.action.thought}\0{s.action.key}" for s in tree.path(at))
            draws = await self.episode.ask(at, attempt=self.asked[path])
            if not draws:
                return None
            self.asked[path] += 1
            node = await self.episode.take(at, draws[0], last=at != first)
            if node.step.ended:
                return node
            at = node.id
        return None


async def play_spliced(episode: Episode, at: int, rest: Sequence[Node]) -> None:
    """Play the actions of `rest`, which continue a path beside it, without asking the policy."""
    first = at
    for each in rest:
        draw = Draw(each.step.action, -1, each.actor, SPLICED)
        node = await episode.take(at, draw, last=at != first)
        if node.step.ended:
            return
        at = node.id

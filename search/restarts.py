"""Starting anew after the agent gave up: `give_up_and_restart` (ToolBench, arXiv:2307.16789).

The leaf at which the agent gave up has failed. The next attempt is a new child of the start state,
proposed by a request that sees the failed attempts; so does every request below it. It may begin
with an action that the start state has as a child already: what follows differs, because what was
seen differs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from search.episode import Episode
from search.tree import ROOT, Node

SEEN = 3
"""How many failed attempts a new one sees: the latest."""


@dataclass(slots=True)
class Restarts:
    """The restarts of a search, or of one chain.

    Attributes:
        attempts: The leaves at which attempts gave up and a new one began.
    """

    episode: Episode
    attempts: list[int] = field(default_factory=list)

    def follows(self, node: Node) -> bool:
        """Return whether a new attempt may begin after `node`, if it can be paid."""
        left = len(self.attempts) < self.episode.search.restarts
        return left and bool(node.step.info.get("gave_up")) and not self.episode.solved

    async def after(self, node: Node, attempt: int | None = None) -> Node | None:
        """Start anew if the agent gave up at `node`; return the first node of the new attempt.

        None if it did not, if enough paths are solved, or if no more restarts are allowed or paid.

        Args:
            node: The latest node.
            attempt: The number for `Request.attempt`; by default that of the restart, from 1.
        """
        episode = self.episode
        if not self.follows(node) or not episode.affordable:
            return None
        self.attempts.append(node.id)
        number = len(self.attempts) if attempt is None else attempt
        draws = await episode.ask(ROOT, attempt=number, attempts=tuple(self.attempts[-SEEN:]))
        return await episode.take(ROOT, draws[0]) if draws else None

    async def after_any(self, nodes: Sequence[Node]) -> list[Node]:
        """Start anew after each of `nodes` at which the agent gave up; return the new nodes."""
        new: list[Node] = []
        for node in nodes:
            begun = await self.after(node)
            while begun is not None:
                new.append(begun)
                begun = await self.after(begun)
        return new

"""Value the states of a searched tree: return to each, and let a policy go on from there."""

from collections.abc import Callable
from dataclasses import dataclass, field

from search.base import Search
from search.episode import Episode
from search.playing_on import PlayingOn, play_spliced
from search.tree import ROOT, Node, Tree
from search.values import Values


def no_tree(task_id: str) -> Tree:
    """Raise an error: a search of its own needs no earlier tree."""
    raise LookupError(f"no tree of {task_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuations(Search):
    """Play on from each state of an earlier tree, until it is known which states are good.

    A state is valued before those below it, and is saved until they are done: each state below is
    one step away.

    Attributes:
        least: Continuations of each state at least.
        most: Continuations of each state at most.
        confidence: Of a value's interval. A state gets no further continuation once its interval
            leaves out 1/2.
        splice: Also play, after each wrong turn, the rest of a successful path beside it, without
            asking the policy (Agent-R: Yuan et al. 2025, arXiv:2501.11425).
        trees: Returns the tree of a task.
    """

    name = "continuations"

    least: int = field(default=4, metadata={"min": 1})
    most: int = field(default=16, metadata={"min": 1})
    confidence: float = field(default=0.9, metadata={"above": 0, "max": 0.999})
    splice: bool = False
    trees: Callable[[str], Tree] = field(default=no_tree, metadata={"hidden": True})

    async def explore(self, episode: Episode) -> None:
        """Value every state in which a path of the earlier tree did not end."""
        tree = episode.adopt(self.trees(episode.tree.task.id))
        valuation = _Valuation(self, episode, Values(tree), PlayingOn(episode))
        if self.splice:
            await valuation.splice()
        await valuation.value_from(ROOT)
        tree.stopped = tree.stopped or "exhausted"


@dataclass(slots=True)
class _Valuation:
    """The work on one tree."""

    rule: Continuations
    episode: Episode
    values: Values
    playing_on: PlayingOn

    async def value_from(self, at: int) -> None:
        """Value a state, then those below it."""
        while not self._decided(at) and self.episode.affordable:
            leaf = await self.playing_on.play(at)
            if leaf is None:
                return
            self.values.add(leaf)
        for child in self._children(at):
            if not child.step.ended:
                await self.value_from(child.id)
        await self.episode.close(at)

    def _children(self, at: int) -> list[Node]:
        tree = self.episode.tree
        return [child for child in tree.children(at) if child.id <= tree.searched]

    def _decided(self, at: int) -> bool:
        value = self.values.of(at)
        if value is None or len(value.rewards) < self.rule.least:
            return False
        low, high = value.interval(self.rule.confidence)
        return len(value.rewards) >= self.rule.most or not low <= 0.5 <= high

    async def splice(self) -> None:
        """After each wrong turn, play the rest of the shortest successful path beside it."""
        tree, states = self.episode.tree, self.values.states
        paths = sorted((tree.lineage(leaf.id) for leaf in tree.winners()), key=len)
        done = {states.of[node.id] for path in paths for node in path}
        for path in paths:
            for place, right in enumerate(path):
                for wrong, *_ in states.beside(right).values():
                    if states.of[wrong.id] not in done and not wrong.step.ended:
                        done.add(states.of[wrong.id])  # one path after each wrong turn
                        await play_spliced(self.episode, wrong.id, path[place:])

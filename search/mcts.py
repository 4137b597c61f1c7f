"""Monte Carlo tree search over tool calls: LATS (Zhou et al. 2023, arXiv:2310.04406, section 4).

Each round selects an unexpanded state by UCT, expands it, and goes on greedily from its best child
to the end of a path, whose reward is backed up. Departures from the paper: what a simulation visits
is part of the tree; a judge's value counts as one visit of its state and is kept after the first
real one; a tree in which everything has ended selects nothing, so its search ends.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from math import inf, log, sqrt
from typing import Literal

from search.base import Search
from search.episode import Episode
from search.expand import Siblings, expand
from search.judging import reflect, values
from search.restarts import Restarts
from search.tree import ROOT, Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Mcts(Search):
    """Search until the task is solved, the budget is spent or every path has ended.

    Attributes:
        siblings: How children are drawn: "diverse" (one at a time, each different from those
            tried) or "sample" (all at once).
        value: Where values come from: "judge" (its values and the rewards backed up) or "reward"
            (rewards alone).
        exploration: Weight of UCT's exploration term.
        reflections: Failed paths per task that the judge reflects on; later proposals see the
            reflections.
    """

    name = "mcts"

    siblings: Siblings = "diverse"
    value: Literal["judge", "reward"] = "judge"
    exploration: float = field(default=1.0, metadata={"min": 0})
    reflections: int = field(default=0, metadata={"min": 0})

    @property
    def needs_judge(self) -> bool:
        """Whether the search asks a judge."""
        return self.value == "judge" or self.reflections > 0

    async def explore(self, episode: Episode) -> None:
        """Play rounds until nothing is left to select."""
        rounds = _Rounds(episode, self)
        while not episode.solved and ROOT not in rounds.finished and episode.affordable:
            await rounds.play()


@dataclass(slots=True)
class _Rounds:
    """The rounds played so far.

    worth: per state, the judge's value and the rewards backed up; one entry per visit.
    finished: states below which nothing is open.
    expanded: states that were asked.
    reflected: failed paths that the judge reflected on.
    """

    episode: Episode
    options: Mcts
    worth: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    finished: set[int] = field(default_factory=set)
    expanded: set[int] = field(default_factory=set)
    reflected: int = 0
    restarts: Restarts = field(init=False)

    def __post_init__(self) -> None:
        self.restarts = Restarts(self.episode)

    async def play(self) -> None:
        """Play one round: select, expand, evaluate, simulate, back up, reflect."""
        at = ROOT
        while at in self.expanded:
            at = max(self._open(at), key=self._uct).id
        while at not in self.finished and self.episode.affordable and not self.episode.solved:
            await self._expand(at)
            if self._open(at):
                at = max(self._open(at), key=self._value).id

    async def _expand(self, at: int) -> None:
        children = await expand(self.episode, at, self.options.siblings)
        self.expanded.add(at)
        for child in children:
            if child.step.ended:
                await self._end(child)
                if begun := await self.restarts.after(child):
                    children.append(begun)  # and so the next of this loop
        if self.options.value == "judge":
            fresh = [node for node in children if node.id not in self.finished]
            found = await values(self.episode, fresh)
            for id, value in (found or {}).items():
                self.worth[id].append(value)
        self._finish(at)

    async def _end(self, leaf: Node) -> None:
        """Back up the reward of a path that has ended, and reflect on it."""
        self.finished.add(leaf.id)
        for state in self._ancestors(leaf.id):
            self.worth[state].append(leaf.step.reward)
        await self._reflect(leaf)

    def _open(self, at: int) -> list[Node]:
        return [n for n in self.episode.tree.children(at) if n.id not in self.finished]

    def _value(self, node: Node) -> float:
        known = self.worth[node.id]
        return sum(known) / len(known) if known else 0.0

    def _uct(self, node: Node) -> float:
        """Equation 1 of the paper; a state that was never visited comes first."""
        visits, above = len(self.worth[node.id]), len(self.worth[node.parent]) or 1
        if not visits:
            return inf
        return self._value(node) + self.options.exploration * sqrt(log(above) / visits)

    def _ancestors(self, id: int) -> list[int]:
        """The ids from the start state to `id`, itself included."""
        return [ROOT, *(node.id for node in self.episode.tree.lineage(id))]

    def _finish(self, at: int) -> None:
        """Note that nothing is open below `at`, and the same of its ancestors."""
        ancestors = self._ancestors(at)
        while ancestors and not self._open(ancestors[-1]):
            self.finished.add(ancestors.pop())

    async def _reflect(self, leaf: Node) -> None:
        if not leaf.step.solved and self.reflected < self.options.reflections:
            self.reflected += 1
            await reflect(self.episode, leaf)

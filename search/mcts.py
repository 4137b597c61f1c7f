"""Monte Carlo tree search over tool calls: LATS (Zhou et al. 2023, arXiv:2310.04406, section 4).

Each round selects an unexpanded state by UCT, expands it, and goes on greedily from its best child
to the end of a path, whose reward is backed up. Departures: what a simulation visits is part of the
tree; a judge's value counts as one visit of its state, and is not forgotten at the first real one;
where everything has ended nothing is selected, so that the search of an exhausted tree ends.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from math import inf, log, sqrt
from typing import Literal

from environments.base import ToolEnv
from environments.types import Task
from search.expand import Siblings, expand
from search.judging import reflect, values
from search.limits import Limits
from search.policy import Judge, Policy
from search.tree import ROOT, Node, Tree
from search.walk import Walk, walking


@dataclass(frozen=True, slots=True)
class Mcts:
    """value: where values come from: "judge" and the rewards backed up, or "reward" alone.
    exploration: the weight w of UCT.   siblings: see `search.expand.Siblings`.
    reflections: at most so many failed paths are reflected on; all later proposals are told.
    judge: needed but for value = "reward" with no reflections.

    Raises:
        ValueError: a judge is needed, and there is none.
    """

    siblings: Siblings = "diverse"
    value: Literal["judge", "reward"] = "judge"
    exploration: float = 1.0
    reflections: int = 0
    judge: Judge | None = None

    def __post_init__(self) -> None:
        if self.judge is None and (self.value == "judge" or self.reflections):
            raise ValueError("values and reflections need a judge")


async def mcts(env: ToolEnv, task: Task, policy: Policy, limits: Limits, how: Mcts) -> Tree:
    """Search `task` until it is solved, the budget is spent or every path has ended."""
    async with walking(env, task, policy, limits) as walk:
        rounds = _Rounds(walk, how)
        while not walk.solved and ROOT not in rounds.finished and walk.affordable:
            await rounds.play()
    return walk.tree


@dataclass(slots=True)
class _Rounds:
    """worth: of each state, what a judge said and what was backed up; so many visits.
    finished: states below which nothing is open.   expanded: states that were asked.
    reflected: failed paths that the judge was asked about."""

    walk: Walk
    how: Mcts
    worth: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    finished: set[int] = field(default_factory=set)
    expanded: set[int] = field(default_factory=set)
    reflected: int = 0

    async def play(self) -> None:
        """One round: selection, expansion, evaluation, simulation, back-up, reflection."""
        at = ROOT
        while at in self.expanded:
            at = max(self._open(at), key=self._uct).id
        while at not in self.finished and self.walk.affordable and not self.walk.solved:
            await self._expand(at)
            if self._open(at):
                at = max(self._open(at), key=self._value).id

    async def _expand(self, at: int) -> None:
        children = await expand(self.walk, at, self.how.siblings)
        self.expanded.add(at)
        for child in children:
            if child.step.ended:
                self.finished.add(child.id)
                for state in self._way(child.id):
                    self.worth[state].append(child.step.reward)
                await self._reflect(child)
        if self.how.value == "judge" and self.how.judge:
            found = await values(self.walk, self.how.judge, self._open(at))
            for id, value in (found or {}).items():
                self.worth[id].append(value)
        self._finish(at)

    def _open(self, at: int) -> list[Node]:
        return [n for n in self.walk.tree.children(at) if n.id not in self.finished]

    def _value(self, node: Node) -> float:
        known = self.worth[node.id]
        return sum(known) / len(known) if known else 0.0

    def _uct(self, node: Node) -> float:
        """Equation 1 of the paper; what was never visited comes first."""
        visits, above = len(self.worth[node.id]), len(self.worth[node.parent]) or 1
        if not visits:
            return inf
        return self._value(node) + self.how.exploration * sqrt(log(above) / visits)

    def _way(self, id: int) -> list[int]:
        return [ROOT, *(node.id for node in self.walk.tree.lineage(id))]

    def _finish(self, at: int) -> None:
        """Note that nothing is open below `at`, and the same of the states above it."""
        way = self._way(at)
        while way and not self._open(way[-1]):
            self.finished.add(way.pop())

    async def _reflect(self, leaf: Node) -> None:
        if self.how.judge and not leaf.step.solved and self.reflected < self.how.reflections:
            self.reflected += 1
            await reflect(self.walk, self.how.judge, leaf)

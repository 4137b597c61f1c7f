"""Depth-first search over tool calls: DFSDT (Qin et al. 2023, arXiv:2307.16789, section 3.2)."""

from collections import deque
from dataclasses import dataclass, field

from environments.base import ToolEnv
from environments.types import Task
from search.expand import Siblings, State, draw, take
from search.judging import ranked
from search.limits import Limits
from search.policy import Judge, Policy
from search.tree import ROOT, Tree
from search.walk import Walk, walking


@dataclass(frozen=True, slots=True)
class Dfsdt:
    """siblings: see `search.expand.Siblings`.
    backtrack: levels to go up after a failed leaf; with 1, its parent is tried again.
    rank: play all children of a state and go on in the one that `judge` prefers: the reference's
        filter. Siblings are played by then, so `backtrack` must be 1.

    Raises:
        ValueError: the options contradict each other.
    """

    siblings: Siblings = "diverse"
    backtrack: int = 1
    rank: bool = False
    judge: Judge | None = None

    def __post_init__(self) -> None:
        if self.rank and (self.judge is None or self.backtrack != 1):
            raise ValueError("rank needs a judge, and backtrack = 1")


async def dfsdt(
    env: ToolEnv, task: Task, policy: Policy, limits: Limits, how: Dfsdt = Dfsdt()
) -> Tree:
    """Explore `task` and return everything visited, failures included.

    Always expands the deepest open state. A state closes once it has `limits.width` children; it
    is set aside when a request brings nothing new. Once nothing else is open, the states set aside
    are asked again in turn: `limits.repeats` times as often as there are states, so that one which
    needs more has what the others left.

    An action that was paid for is played, even when nothing is left for another request.
    """
    async with walking(env, task, policy, limits) as walk:
        await _DepthFirst(walk, how).search()
    return walk.tree


@dataclass(slots=True)
class _DepthFirst:
    """way: the open states, next last.   aside: states whose policy repeated itself.
    entered: states that were asked, or will be.   again: requests made in states set aside.
    """

    walk: Walk
    how: Dfsdt
    way: list[State] = field(default_factory=list)
    aside: deque[State] = field(default_factory=deque)
    entered: set[int] = field(default_factory=set)
    again: int = 0

    async def search(self) -> None:
        walk, limits = self.walk, self.walk.limits
        self._enter(ROOT)
        while not walk.solved and (self.way or self._come_back()):
            state = self.way[-1]
            if state.drawn:
                await self._play(state)
            elif state.full(limits) or state.barren:
                await self._leave(self.way.pop())
            elif walk.affordable:
                await draw(walk, state, self.how.siblings)
            else:
                self.way.pop()  # left open: it could be expanded, had there been more to spend
        for state in self.aside:
            await walk.close(state.id, "repeats")

    def _enter(self, id: int) -> None:
        self.entered.add(id)
        self.way.append(State(id))

    async def _play(self, state: State) -> None:
        node = await take(self.walk, state)
        if not node.step.ended and not self.how.rank:
            self._enter(node.id)
        elif node.step.ended and not node.step.solved:
            await self._go_up()

    async def _leave(self, state: State) -> None:
        """A state has no more children for now; where they are ranked, they are next."""
        if not state.full(self.walk.limits):
            self.aside.append(state)
        if self.how.rank and self.how.judge:
            children = self.walk.tree.children(state.id)
            fresh = [c for c in children if not c.step.ended and c.id not in self.entered]
            for child in reversed(await ranked(self.walk, self.how.judge, fresh)):
                self._enter(child.id)

    async def _go_up(self) -> None:
        """Prune the states that a failed leaf takes with it: all but the first of `backtrack`."""
        for _ in range(min(self.how.backtrack - 1, len(self.way) - 1)):
            state = self.way.pop()
            spent = state.full(self.walk.limits) and not state.drawn
            await self.walk.close(state.id, "" if spent else "pruned")

    def _come_back(self) -> bool:
        """Open a state again that was set aside; False where none is to be asked again."""
        most = self.walk.limits.repeats * len(self.entered)
        if not self.aside or self.again >= most or not self.walk.affordable:
            return False
        self.again += 1
        self.way.append(self.aside.popleft())
        self.way[-1].barren = 0
        return True

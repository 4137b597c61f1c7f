"""Depth-first search over tool calls: DFSDT (Qin et al. 2023, arXiv:2307.16789, section 3.2)."""

from collections import deque
from dataclasses import dataclass, field

from search.base import Search
from search.episode import Episode
from search.expand import Siblings, State, draw, take
from search.judging import ranked
from search.restarts import Restarts
from search.tree import ROOT
from treegraft.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Dfsdt(Search):
    """Expand the deepest open state until enough paths are solved.

    A state closes once it has `width` children. It is deferred when a request brings nothing new.
    Once nothing else is open, deferred states are asked again in turn, `retries` times as often as
    there are states, so that one that needs more gets what the others did not use.

    An action that was paid for is played, even when the budget allows no further request.

    Attributes:
        siblings: How children are drawn: "diverse" (one at a time, each different from those
            tried) or "sample" (all at once).
        backtrack: Levels to go up after a failed leaf; 1 tries its parent again.
        rank: Play all children of a state and go on in the one the judge prefers, as ToolBench's
            filter does. Needs `backtrack` 1, because the siblings are played by then.
    """

    name = "dfsdt"

    siblings: Siblings = "diverse"
    backtrack: int = field(default=1, metadata={"min": 1})
    rank: bool = False

    def __post_init__(self) -> None:
        Search.__post_init__(self)
        if self.rank and self.backtrack > 1:
            raise UsageError("--rank plays all siblings first: use it with --backtrack 1")

    @property
    def needs_judge(self) -> bool:
        """Whether the search asks a judge."""
        return self.rank

    async def explore(self, episode: Episode) -> None:
        """Search depth first."""
        await _DepthFirst(episode, self).run()


@dataclass(slots=True)
class _DepthFirst:
    """A depth-first search under way.

    open: the open states; the deepest is last.
    deferred: states in which the policy repeated itself.
    entered: states that were asked, or will be.
    revisits: requests made in deferred states.
    """

    episode: Episode
    options: Dfsdt
    open: list[State] = field(default_factory=list)
    deferred: deque[State] = field(default_factory=deque)
    entered: set[int] = field(default_factory=set)
    revisits: int = 0
    restarts: Restarts = field(init=False)

    def __post_init__(self) -> None:
        self.restarts = Restarts(self.episode)

    async def run(self) -> None:
        episode, width = self.episode, self.options.width
        self._enter(ROOT)
        while not episode.solved and (self.open or self._reopen()):
            state = self.open[-1]
            if state.drawn:
                await self._play(state)
            elif state.full(width) or state.no_progress:
                await self._leave(self.open.pop())
            elif episode.affordable:
                await draw(episode, state, self.options.siblings)
            else:
                self.open.pop()  # stays open in the tree: a larger budget could expand it
        for state in self.deferred:
            await episode.close(state.id, "repeats")

    def _enter(self, id: int) -> None:
        self.entered.add(id)
        self.open.append(State(id))

    async def _play(self, state: State) -> None:
        node = await take(self.episode, state)
        if not node.step.ended and not self.options.rank:
            self._enter(node.id)
        elif node.step.ended and not node.step.solved:
            await self._backtrack()
            for begun in await self.restarts.after_any([node]):
                if not begun.step.ended:  # the deepest open state, whatever else is open
                    self._enter(begun.id)

    async def _leave(self, state: State) -> None:
        """Leave a state that gets no more children now; with `rank`, enter its children."""
        if not state.full(self.options.width):
            self.deferred.append(state)
        if self.options.rank:
            children = self.episode.tree.children(state.id)
            fresh = [c for c in children if not c.step.ended and c.id not in self.entered]
            for child in reversed(await ranked(self.episode, fresh)):
                self._enter(child.id)

    async def _backtrack(self) -> None:
        """After a failed leaf, prune all but the first of the `backtrack` states above it."""
        for _ in range(min(self.options.backtrack - 1, len(self.open) - 1)):
            state = self.open.pop()
            spent = state.full(self.options.width) and not state.drawn
            await self.episode.close(state.id, "" if spent else "pruned")

    def _reopen(self) -> bool:
        """Reopen a deferred state; return False if none may be asked again."""
        most = self.options.retries * len(self.entered)
        if not self.deferred or self.revisits >= most or not self.episode.affordable:
            return False
        self.revisits += 1
        self.open.append(self.deferred.popleft())
        self.open[-1].no_progress = 0
        return True

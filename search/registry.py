"""From the name on the command line to a search."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, fields
from typing import Any

from search.beam import Beam, beam
from search.best_first import BestFirst, best_first
from search.dfsdt import Dfsdt, dfsdt
from search.mcts import Mcts, mcts
from search.react import react
from search.tree import Tree


@dataclass(frozen=True, slots=True)
class Search:
    """run: `(env, task, policy, limits)`, and `how` to search where there are options, to a tree.
    how: the class of the options, a frozen dataclass; a field `judge` is the judge to ask.

    A search never raises for what a task brings; PolicyError, SandboxError and defects pass.
    """

    run: Callable[..., Coroutine[Any, Any, Tree]]
    how: type | None = None

    @property
    def options(self) -> frozenset[str]:
        """Names of what a user can choose."""
        return frozenset(f.name for f in fields(self.how)) - {"judge"} if self.how else frozenset()


SEARCHES: Mapping[str, Search] = {
    "dfsdt": Search(dfsdt, Dfsdt),
    "react": Search(react),
    "beam": Search(beam, Beam),
    "best_first": Search(best_first, BestFirst),
    "mcts": Search(mcts, Mcts),
}

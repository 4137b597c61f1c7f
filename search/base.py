"""What every search shares: its common options, and how a search of one task begins and ends."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from environments.base import ToolEnv
from environments.types import Task
from search.budget import TaskBudget
from search.episode import Episode, open_episode
from search.policy import MAX_AGAIN, Grader, Judge, Policy
from search.tree import Tree
from treegraft.errors import UsageError
from treegraft.ranges import check_ranges

NO_BOUND = TaskBudget(calls=None)

_MOST_LEVELS = 99  # of a full tree that are counted; nobody can pay for as many


@cache
def _hints(search: type) -> dict[str, Any]:
    return get_type_hints(search)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(ABC):
    """A way to search one task, with its options.

    Attributes:
        width: Children per state (react: number of chains).
        depth: Steps per path.
        max_solutions: Stop a task's search after this many successful paths.
        retries: Extra requests per state (dfsdt: per state on average) after the policy proposed
            only what it had proposed before; also, at most 2 per request, after a reply that is
            not complete (cut off at the token limit, filtered).
        restarts: Times per task (react: per chain) that the search starts anew after the agent gave
            up: the next attempt begins at the start state, and sees the failed ones.
    """

    name: ClassVar[str]

    width: int = field(default=2, metadata={"min": 1})
    depth: int = field(default=12, metadata={"min": 1})
    max_solutions: int = field(default=1, metadata={"min": 1})
    retries: int = field(default=4, metadata={"min": 0})
    restarts: int = field(default=0, metadata={"min": 0})

    def __post_init__(self) -> None:
        check_ranges(self)
        for each in fields(self):
            flag, value = f"--{each.name.replace('_', '-')}", getattr(self, each.name)
            hint = _hints(type(self))[each.name]
            choices = get_args(hint) if get_origin(hint) is Literal else ()
            if choices and value not in choices:
                raise UsageError(f"{flag} is {value!r}; use one of {', '.join(choices)}")

    @property
    def needs_judge(self) -> bool:
        """Whether the search asks a judge."""
        return False

    @property
    def most_requests(self) -> int:
        """Requests of one task's search at most, to the policy and to a judge, without a budget.

        In every state each of `width` actions may take `retries` further requests, and each reply
        may be asked for again where it is not complete. With a judge, the children of each state
        are valued or compared.
        """
        width = self.width + self.restarts
        judged = width * max(width - 1, 1) if self.needs_judge else 0
        asked = width * (1 + self.retries)
        return self._again * (self._most_states * (asked + judged) + self._reflected)

    @property
    def _most_states(self) -> int:
        """States that may be asked for actions: by default, those of a full tree."""
        width, levels = self.width, min(self.depth - 1, _MOST_LEVELS)
        below = self.depth - 1 if width == 1 else (width**levels - 1) // (width - 1)
        return 1 + (width + self.restarts) * below

    @property
    def _again(self) -> int:
        """How often a request is made at most until its reply is complete."""
        return 1 + min(MAX_AGAIN, self.retries)

    @property
    def _reflected(self) -> int:
        """Requests for reflections."""
        return int(getattr(self, "reflections", 0))

    async def search(
        self,
        env: ToolEnv,
        task: Task,
        policy: Policy,
        budget: TaskBudget = NO_BOUND,
        judge: Judge | None = None,
        grader: Grader | None = None,
    ) -> Tree:
        """Search `task` and return everything visited, failures included.

        `grader` grades the answers that the environment cannot grade (`info["ungraded"]`).

        Raises:
            PolicyError, sandbox.SandboxError: The task cannot go on.
            ValueError: The search needs a judge and has none.
        """
        if self.needs_judge and judge is None:
            raise ValueError(f"{self.name} with these options needs a judge")
        async with open_episode(env, task, policy, self, budget, judge) as episode:
            episode.grader = grader
            await self.explore(episode)
        return episode.tree

    @abstractmethod
    async def explore(self, episode: Episode) -> None:
        """Expand states until enough paths are solved, or nothing is left to expand or to spend."""

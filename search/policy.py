"""What search asks of a policy. A policy proposes; it does not touch the environment."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from environments.types import Action, Step, Task
from sandbox.errors import TreegraftError
from search.usage import Usage


class PolicyError(TreegraftError):
    """The model could not be had: a refusal that will not change, or retries used up.

    It fails the task, with the server's words. An unreadable reply is no error: it is a
    malformed action.
    """


class BudgetSpent(Exception):
    """The run can pay for no further request; the search returns what it has."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one request brought.

    actions: at least one, at most the `count` asked for; repeats are not removed.
    usage: what the request cost; `usage.calls` is 1, or 0 for a policy that asks nobody.
    request: the journal's key of the request, "" where there is none.
    """

    actions: tuple[Action, ...]
    usage: Usage = field(default_factory=Usage)
    request: str = ""


class Policy(Protocol):
    @property
    def name(self) -> str:
        """Who proposes, for the tree's provenance."""

    async def propose(
        self, task: Task, path: Sequence[Step], *, tried: Sequence[Step], count: int, attempt: int
    ) -> Proposal:
        """Draw `count` next actions after `path`, in one request.

        tried: actions already taken in this state and what came of them, to differ from; empty
            where the search wants independent draws.
        attempt: which request this is among those that look the same, 0, 1, 2, ...: with the
            other arguments it names the request, so that a resumed search finds its reply again.

        Raises:
            PolicyError: the task cannot go on.
            BudgetSpent: the run cannot go on.
        """

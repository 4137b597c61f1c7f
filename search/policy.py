"""What search asks of a policy. A policy proposes; it does not touch the environment."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, runtime_checkable

from environments.types import Action, Step, Task
from search.usage import Usage
from treegraft.errors import TreegraftError

T = TypeVar("T")


class PolicyError(TreegraftError):
    """The model could not be had: a refusal that will not change, or retries used up.

    It fails the task, with the server's words. An unreadable reply is no error: it is a
    malformed action.

    used_up: retries were used up; another request may fare as badly.
    """

    def __init__(self, words: str = "", *, used_up: bool = False) -> None:
        super().__init__(words)
        self.used_up = used_up


class BudgetSpent(Exception):
    """The run can pay for no further request; the search returns what it has."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one request brought.

    actions: at least one, at most the `count` asked for; repeats are not removed. None where
        somebody else is to be asked.
    usage: what the request cost; `usage.calls` is 1, or 0 for a policy that asks nobody.
    request: the journal's key of the request, "" where there is none.
    logprobs: of each action, the mean log-probability of the tokens of its reply (nats a token,
        0 or less; None where it is not known); () where it was not asked.
    actor, why: see `Node`.
    passed_to: who is to be asked instead, of the same state; then `actions` is empty.
    """

    actions: tuple[Action, ...]
    usage: Usage = field(default_factory=Usage)
    request: str = ""
    logprobs: tuple[float | None, ...] = ()
    actor: str = ""
    why: str = ""
    passed_to: "Policy | None" = None


class Policy(Protocol):
    @property
    def name(self) -> str:
        """Who proposes, for the tree's provenance."""

    async def propose(
        self,
        task: Task,
        path: Sequence[Step],
        *,
        tried: Sequence[Step],
        count: int,
        attempt: int,
        lessons: Sequence[str] = (),
    ) -> Proposal:
        """Draw `count` next actions after `path`, in one request.

        tried: actions already taken in this state and what came of them, to differ from; empty
            where the search wants independent draws.
        attempt: which request this is among those that look the same, 0, 1, 2, ...: with the
            other arguments it names the request, so that a resumed search finds its reply again.
        lessons: what a judge's reflections on failed paths came to; given where there are any.

        Raises:
            PolicyError: the task cannot go on.
            BudgetSpent: the run cannot go on.
        """


@runtime_checkable
class Shared(Protocol):
    """A policy of several actors: see `Node`."""

    def after(self, failed: Collection[str]) -> Policy:
        """Who proposes in a state where an action of each actor in `failed` led to no success."""


@dataclass(frozen=True, slots=True)
class Judgement(Generic[T]):
    """What a judge was asked for, and what asking cost: see `Proposal`."""

    result: T
    usage: Usage = field(default_factory=Usage)
    request: str = ""


class Judge(Protocol):
    """Tells a search which states are worth more. Nothing it says becomes part of a tree.

    Every method raises PolicyError and BudgetSpent as `Policy.propose` does.
    """

    async def value(self, task: Task, path: Sequence[Step]) -> Judgement[float]:
        """How likely the task is solved from the end of `path`, in [0, 1]."""

    async def compare(
        self, task: Task, path: Sequence[Step], one: Step, other: Step
    ) -> Judgement[float]:
        """Which of two steps after `path` is the better: 1 for `one`, 0 for `other`, 0.5 neither.

        Judges favour a place in the order; whoever wants to be fair asks both ways round.
        """

    async def reflect(self, task: Task, path: Sequence[Step]) -> Judgement[str]:
        """What went wrong on `path`, which ended without solving the task, and what to do instead;
        "" where there is nothing to say."""

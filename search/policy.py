"""What a search asks of a policy and of a judge. Neither touches the environment."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from environments.types import Action, Step, Task
from search.tree import Call
from search.usage import Usage
from treegraft.errors import TreegraftError

T = TypeVar("T")

MAX_AGAIN = 2
"""How often a request is asked again whose reply is not complete. A reply that was cut off twice
at the same limit will hardly fit the third time."""


class PolicyError(TreegraftError):
    """The model cannot be reached: it refused for good, or the retries are used up.

    It fails the task, with the server's words. A reply that cannot be parsed is not an error: it
    is a malformed action.

    Attributes:
        used_up: The retries are used up, so another request may fail too.
    """

    def __init__(self, words: str = "", *, used_up: bool = False) -> None:
        super().__init__(words)
        self.used_up = used_up


class BudgetSpent(Exception):
    """The run can pay for no further request; the search returns what it has.

    Attributes:
        calls: Requests of the same proposal that were paid before this one.
    """

    def __init__(self, words: str = "", calls: tuple[Call, ...] = ()) -> None:
        super().__init__(words)
        self.calls = calls


@dataclass(frozen=True, slots=True)
class Child:
    """An action already taken in a state.

    Attributes:
        actor: Who proposed it; see `Node.actor`.
        failed: The path ended there or was continued, and no path through it succeeded.
    """

    step: Step
    actor: str = ""
    failed: bool = False


def always(usage: Usage) -> bool:
    """Allow every further request."""
    return True


@dataclass(frozen=True, slots=True)
class Request:
    """What a search asks a policy: the next actions in one state.

    Attributes:
        path: Steps from the start to the state.
        children: Actions already taken in the state.
        differ: The new actions must differ from `children`; False asks for independent draws.
        count: Draw at most this many actions.
        attempt: The number of this request among those that look the same: 0, 1, 2, ... With the
            other fields it identifies the request, so that a resumed search finds its reply.
        lessons: Reflections on failed paths.
        attempts: Failed paths before this one, at which the agent gave up to start anew.
        answer_only: The action must be the answer: no other tool may be called.
        affords: Whether a further request can be paid after this much has been spent on this one.
        retries: How often replies that are not complete may be asked for again.
    """

    task: Task
    path: Sequence[Step] = ()
    children: Sequence[Child] = ()
    differ: bool = False
    count: int = 1
    attempt: int = 0
    lessons: Sequence[str] = ()
    attempts: Sequence[Sequence[Step]] = ()
    answer_only: bool = False
    affords: Callable[[Usage], bool] = field(default=always, compare=False)
    retries: int = field(default=MAX_AGAIN, compare=False)

    @property
    def tried(self) -> list[Step]:
        """The steps that the new actions must differ from."""
        return [child.step for child in self.children] if self.differ else []


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a policy proposes.

    Attributes:
        actions: At most `Request.count`; duplicates are not removed. Empty only if the budget
            ended between two requests.
        calls: The requests it cost; the last one brought the actions, or the last of them. Empty
            for a policy that makes none. Their `state` is filled in by the search.
        logprobs: Per action, the mean log-probability of the reply's tokens (nats per token, 0 or
            less; None if unknown); empty if it was not requested.
        actor: Who proposed the actions; see `Node.actor`.
        why: Why; see `Node.why`.
    """

    actions: tuple[Action, ...]
    calls: tuple[Call, ...] = ()
    logprobs: tuple[float | None, ...] = ()
    actor: str = ""
    why: str = ""


class Policy(Protocol):
    """Proposes actions."""

    @property
    def name(self) -> str:
        """The name kept in the tree as its source."""

    async def propose(self, request: Request) -> Proposal:
        """Draw the next actions.

        Raises:
            PolicyError: The task cannot go on.
            BudgetSpent: The run cannot go on.
        """


@dataclass(frozen=True, slots=True)
class Judgement(Generic[T]):
    """A judge's answer and what it cost.

    Attributes:
        usage: What the request cost.
        request: The request's key in the journal, or "".
        incomplete: See `Call.incomplete`; `result` is then that of an unreadable reply.
        again: Asks the same once more; None where the reply is complete, or would not change.
    """

    result: T
    usage: Usage = field(default_factory=Usage)
    request: str = ""
    incomplete: str = ""
    again: "Callable[[], Awaitable[Judgement[T]]] | None" = field(default=None, compare=False)


class Judge(Protocol):
    """Tells a search which states are worth more. Of its words a tree keeps reflections only.

    Every method raises PolicyError and BudgetSpent as `Policy.propose` does.
    """

    async def value(self, task: Task, path: Sequence[Step]) -> Judgement[float]:
        """Return how likely the task is solved from the end of `path`, in [0, 1]."""

    async def compare(
        self, task: Task, path: Sequence[Step], one: Step, other: Step
    ) -> Judgement[float]:
        """Return which of two steps after `path` is better: 1 for `one`, 0 for `other`, 0.5 a tie.

        Judges favour a position; to be fair, ask both ways round.
        """

    async def reflect(self, task: Task, path: Sequence[Step]) -> Judgement[str]:
        """Return what went wrong on `path`, which failed, and what to do instead, or ""."""

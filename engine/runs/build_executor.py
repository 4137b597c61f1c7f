"""What a run works with and what it may spend: from flags to an executor."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.chat.address import public_address
from engine.chat.base import Chat
from engine.chat.budget import Budget, BudgetedChat
from engine.chat.open import journaled
from engine.chat.prices import Price, needed_price, price_of, read_prices
from engine.config import BUDGET, OUTPUT, WORKERS, Config, one_of
from engine.errors import UsageError
from engine.executors.base import Executor
from engine.executors.local import Local
from engine.executors.spec import ChatSpec, EndpointSpec
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.policies.student_endpoint import KEY
from engine.runs.store import FILE, Store
from search.usage import Usage

if TYPE_CHECKING:
    from engine.chat.endpoint import Endpoint

VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
"""What workers on other machines are told of this one's environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBudget:
    """What a run may spend in all, by this command and by earlier ones; None means no bound.

    Attributes:
        usd: US dollars for the whole run.
        calls: Requests for the whole run.
        tokens: Prompt and completion tokens for the whole run.
    """

    usd: float | None = field(default=None, metadata={"flag": "budget-usd", "panel": BUDGET})
    calls: int | None = field(default=None, metadata={"flag": "budget-calls", "panel": BUDGET})
    tokens: int | None = field(default=None, metadata={"flag": "budget-tokens", "panel": BUDGET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a run works with; none of it changes the trees.

    Attributes:
        chat: A model in this process, in place of the config's endpoint.
        journal: File in which paid replies are kept.
        prices: JSON file of prices that replace or extend the built-in table.
        concurrency: Tasks searched at once; per worker where there are workers.
        executor: local, processes (on this machine) or ray (on many machines; experimental).
        address: Address of the Ray cluster.
        workers: Number of workers of processes and ray.
    """

    chat: Chat | None = field(default=None, metadata={"hidden": True})
    journal: Path | None = field(
        default=None, metadata={"panel": OUTPUT, "default": "journal.db beside the run"}
    )
    prices: Path | None = field(default=None, metadata={"panel": BUDGET})
    concurrency: int = field(default=8, metadata={"panel": WORKERS, "min": 1})
    executor: str = field(default="local", metadata={"panel": WORKERS})
    address: str = field(
        default="", metadata={"panel": WORKERS, "default": "a cluster on this machine"}
    )
    workers: int | None = field(
        default=None, metadata={"panel": WORKERS, "min": 1, "default": "one per CPU"}
    )

    def __post_init__(self) -> None:
        one_of("executor", self.executor, ("local", "processes", "ray"))
        if self.executor == "local" and self.workers:
            raise UsageError("--workers is for --executor processes and ray")
        if self.executor != "ray" and self.address:
            raise UsageError("--address is for --executor ray")


@asynccontextmanager
async def executor(
    config: Config, out: Path, bounds: RunBudget, means: Resources
) -> AsyncIterator[Executor]:
    """What searches this run's tasks."""
    if means.executor == "ray":
        from engine.executors.ray import Cluster

        if config.student_endpoint:
            raise UsageError("--student works with --executor local and processes, not with ray")
        paying = _paying(config, out, bounds, means)
        yield Cluster(means.address, means.workers, means.concurrency, paying)
    elif means.executor == "processes":
        from engine.executors.processes import Processes

        paying = _paying(config, out, bounds, means)
        yield Processes(means.workers, means.concurrency, paying)
    else:
        async with _asked(config, out, bounds, means) as (chat, student_chat):
            yield Local(chat, means.concurrency, student_chat)


def _paying(config: Config, out: Path, bounds: RunBudget, means: Resources) -> ChatSpec | None:
    """What workers elsewhere need to ask; None where nobody is asked."""
    if means.chat is not None:
        raise UsageError("a model in this process is asked by --executor local only")
    teacher = student = None
    address = ""
    if config.teacher != DEMONSTRATION:
        address = public_address(config.base_url or None)
        teacher = EndpointSpec(config.base_url, _known(*VARIABLES), _price(config, bounds, means))
    if config.student_endpoint:
        student = EndpointSpec(
            config.student_endpoint.base_url, _known(KEY), _student_price(config, means)
        )
    if teacher is None and student is None:
        return None
    return ChatSpec(_journal(out, means), address, _budget(out, bounds), teacher, student)


def _known(*variables: str) -> dict[str, str]:
    return {name: os.environ[name] for name in variables if name in os.environ}


def _price(config: Config, bounds: RunBudget, means: Resources) -> Price | None:
    bounded = bounds.usd is not None or config.budget.usd is not None
    return (needed_price if bounded else price_of)(config.teacher, read_prices(means.prices))


def _student_price(config: Config, means: Resources) -> Price | None:
    """A student without a price costs nothing: most are served by their users."""
    return (
        price_of(config.student_endpoint.model, read_prices(means.prices))
        if config.student_endpoint
        else None
    )


def _journal(out: Path, means: Resources) -> Path:
    return means.journal or out.resolve().parent / "journal.db"


def _budget(out: Path, bounds: RunBudget) -> Budget:
    return Budget(bounds.usd, bounds.calls, bounds.tokens, _spent(out))


@asynccontextmanager
async def _asked(
    config: Config, out: Path, bounds: RunBudget, means: Resources
) -> AsyncIterator[tuple[Chat | None, Chat | None]]:
    """What the teacher asks, and what a student that acts first asks: each the journal, over the
    budget, over an endpoint. None for the demonstration teacher, and for no student."""
    endpoint, student = _endpoints(config, bounds, means)
    chat = None if config.teacher == DEMONSTRATION else means.chat or endpoint
    if chat is None and student is None:
        yield None, None
        return
    budget = _budget(out, bounds)
    chats = [BudgetedChat(each, budget) for each in (chat, student) if each is not None]
    ours = [each for each in (endpoint, student) if each is not None]
    async with journaled(_journal(out, means), chats, ours) as lines:
        yield (None if chat is None else lines[0]), (None if student is None else lines[-1])


def _endpoints(
    config: Config, bounds: RunBudget, means: Resources
) -> tuple["Endpoint | None", "Endpoint | None"]:
    """The teacher's and the student's own; None for who asks nobody, or a model in this process."""
    from engine.chat.endpoint import Endpoint

    teacher = student = None
    if config.teacher != DEMONSTRATION and means.chat is None:
        price = _price(config, bounds, means)
        teacher = Endpoint.from_environment(
            config.base_url or None, price=price, concurrency=means.concurrency
        )
    if config.student_endpoint:
        student = config.student_endpoint.endpoint(_student_price(config, means), means.concurrency)
    return teacher, student


def _spent(out: Path) -> Usage:
    """What the run in folder `out` has cost so far."""
    if not (out / FILE).exists():
        return Usage()
    with Store.create(out) as store:  # a kill may have left the file without its tables
        return store.usage()

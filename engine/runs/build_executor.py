"""Build the executor of a run, with its chats, from what the user gave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.chat.base import Chat
from engine.chat.budget import Budget
from engine.chat.open import ChatSpec, ChatStack, EndpointSpec
from engine.chat.prices import needed_price, price_of, read_prices
from engine.config import Config, one_of
from engine.errors import UsageError
from engine.executors.base import Executor
from engine.executors.local import Local
from engine.panels import BUDGET, OUTPUT, WORKERS
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.runs.store import FILE, Store
from search.usage import Usage


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
        fail_fast: Stop at the first task that fails, and show the traceback.
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
    fail_fast: bool = field(default=False, metadata={"panel": WORKERS})

    def __post_init__(self) -> None:
        one_of("executor", self.executor, ("local", "processes", "ray"))
        if self.executor == "local" and self.workers:
            raise UsageError("--workers is for --executor processes and ray")
        if self.executor != "ray" and self.address:
            raise UsageError("--address is for --executor ray")
        if self.executor != "local" and self.chat is not None:
            raise UsageError("a model in this process works with --executor local only")


@asynccontextmanager
async def open_executor(
    config: Config, out: Path, budget: RunBudget, resources: Resources
) -> AsyncIterator[Executor]:
    """Open the executor of the run in folder `out`, and the chats it needs.

    Raises:
        PolicyError: there is no usable address or key for the teacher.
        PriceError: dollars are bounded, and the model has no price.
    """
    chats = _chat_spec(config, out, budget, resources)
    workers, concurrency = resources.workers, resources.concurrency
    if resources.executor == "ray":
        from engine.executors.ray import Cluster

        yield Cluster(resources.address, workers, concurrency, chats)
    elif resources.executor == "processes":
        from engine.executors.processes import Processes

        yield Processes(workers, concurrency, chats)
    else:
        teacher = None if config.teacher == DEMONSTRATION else resources.chat
        async with _local(chats, teacher, concurrency) as executor:
            yield executor


def _chat_spec(config: Config, out: Path, budget: RunBudget, resources: Resources) -> ChatSpec:
    prices = read_prices(resources.prices)
    teacher = student = None
    if config.teacher != DEMONSTRATION and resources.chat is None:
        bounded = budget.usd is not None or config.budget.usd is not None
        price = (needed_price if bounded else price_of)(config.teacher, prices)
        teacher = EndpointSpec.from_environment(config.base_url, price)
    if student_endpoint := config.student_endpoint:
        # Without a price it costs nothing: most users serve their students themselves.
        student = student_endpoint.spec(price_of(student_endpoint.model, prices))
    journal = resources.journal or out.resolve().parent / "journal.db"
    whole = Budget(budget.usd, budget.calls, budget.tokens, _spent(out))
    return ChatSpec(journal, whole, teacher, student)


@asynccontextmanager
async def _local(chats: ChatSpec, chat: Chat | None, concurrency: int) -> AsyncIterator[Local]:
    """Open the executor of this process.   chat: the teacher, if it is not an endpoint."""
    if not (chat or chats.teacher or chats.student):
        yield Local(concurrency=concurrency)
        return
    async with ChatStack(chats.journal, chats.budget) as stack:
        if chats.teacher:
            chat = chats.teacher.open(concurrency)
        student = stack.add(chats.student.open(concurrency)) if chats.student else None
        yield Local(stack.add(chat) if chat else None, concurrency, student)


def _spent(out: Path) -> Usage:
    """Return what the run in folder `out` has cost so far."""
    if not (out / FILE).exists():
        return Usage()
    with Store.create(out) as store:  # a kill may have left the file without its tables
        return store.usage()

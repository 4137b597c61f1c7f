"""Build the executor of a run, with its chats, from what the user gave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.chat.base import Chat
from engine.chat.budget import Budget
from engine.chat.open import ChatSpec, ChatStack, EndpointSpec
from engine.chat.prices import needed_price, price_of, read_prices
from engine.config import Config, one_of
from engine.errors import UsageError
from engine.executors.base import Executor
from engine.executors.local import Local
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.runs.store import FILE, Store
from search.usage import Usage


@dataclass(frozen=True, slots=True)
class RunBudget:
    """What a run may spend in all, by this command and by earlier ones; None: no bound."""

    usd: float | None = None
    calls: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """What a run works with.

    Attributes:
        chat: a model in this process, instead of the endpoint that the config names.
        journal: its file; None for `journal.db` beside the run.
        prices: a file that is merged over the built-in prices.
        concurrency: most tasks at once; per worker, if there are workers.
        executor: "local", "processes" or "ray".
        address: of the Ray cluster; "" starts one on this machine.
        workers: processes or Ray actors; None for one per CPU.
    """

    chat: Chat | None = None
    journal: Path | None = None
    prices: Path | None = None
    concurrency: int = 8
    executor: str = "local"
    address: str = ""
    workers: int | None = None

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
    config: Config, out: Path, bounds: RunBudget, resources: Resources
) -> AsyncIterator[Executor]:
    """Open the executor of the run in folder `out`, and the chats it needs.

    Raises:
        PolicyError: there is no usable address or key for the teacher.
        PriceError: dollars are bounded, and the model has no price.
    """
    chats = _chat_spec(config, out, bounds, resources)
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


def _chat_spec(config: Config, out: Path, bounds: RunBudget, resources: Resources) -> ChatSpec:
    prices = read_prices(resources.prices)
    teacher = student = None
    if config.teacher != DEMONSTRATION and resources.chat is None:
        bounded = bounds.usd is not None or config.task_max_usd is not None
        price = (needed_price if bounded else price_of)(config.teacher, prices)
        teacher = EndpointSpec.from_environment(config.base_url, price)
    if config.student:  # without a price it costs nothing: most are served by their users
        student = config.student.spec(price_of(config.student.model, prices))
    journal = resources.journal or out.resolve().parent / "journal.db"
    budget = Budget(bounds.usd, bounds.calls, bounds.tokens, _spent(out))
    return ChatSpec(journal, budget, teacher, student)


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

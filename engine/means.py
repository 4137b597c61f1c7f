"""What a run works with and what it may spend: from flags to an executor."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.budget import Budget, Budgeted
from engine.chat import Chat
from engine.config import Config, one_of
from engine.demonstration import NAME as DEMONSTRATION
from engine.errors import UsageError
from engine.executors.base import Executor
from engine.executors.local import Local
from engine.executors.paying import Asking, Paying
from engine.journal import Journal, Journaled
from engine.prices import Price, needed_price, price_of, read_prices
from engine.store import FILE, Store
from search.usage import Usage

DRAIN_SECONDS = 30.0  # how long Ctrl-C waits for replies that are under way, and paid
VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
"""What workers on other machines are told of this one's environment."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a run may spend in all, by this command and by earlier ones; None: no bound."""

    usd: float | None = None
    calls: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What a run works with.

    chat: a model in this process, instead of the endpoint that the config names.
    journal: its file; None for `journal.db` beside the run.
    prices: a file over the built-in table.
    concurrency: tasks at once, at most; on a cluster, of each worker.
    executor: "local", "processes" or "ray".
    address: of the cluster.   workers: see `executors.processes` and `executors.cluster`.
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


@asynccontextmanager
async def executor(
    config: Config, out: Path, bounds: Bounds, means: Means
) -> AsyncIterator[Executor]:
    if means.executor == "ray":
        from engine.executors.cluster import Cluster

        paying = _paying(config, out, bounds, means)
        yield Cluster(means.address, means.workers, means.concurrency, paying)
    elif means.executor == "processes":
        from engine.executors.processes import Processes

        paying = _paying(config, out, bounds, means)
        yield Processes(means.workers, means.concurrency, paying)
    else:
        async with _asked(config, out, bounds, means) as asked:
            yield Local(asked, means.concurrency)


def _paying(config: Config, out: Path, bounds: Bounds, means: Means) -> Paying | None:
    """What workers elsewhere need to ask; None for the demonstration teacher."""
    if means.chat is not None:
        raise UsageError("a model in this process is asked by --executor local only")
    if config.teacher == DEMONSTRATION:
        return None
    from engine.endpoint import public_address

    known = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    address = public_address(config.base_url or None)
    asking = Asking(config.base_url, known, _price(config, bounds, means))
    return Paying(_journal(out, means), address, _budget(out, bounds), asking)


def _price(config: Config, bounds: Bounds, means: Means) -> Price | None:
    bounded = bounds.usd is not None or config.task_max_usd is not None
    return (needed_price if bounded else price_of)(config.teacher, read_prices(means.prices))


def _journal(out: Path, means: Means) -> Path:
    return means.journal or out.resolve().parent / "journal.db"


def _budget(out: Path, bounds: Bounds) -> Budget:
    return Budget(bounds.usd, bounds.calls, bounds.tokens, _spent(out))


@asynccontextmanager
async def _asked(
    config: Config, out: Path, bounds: Bounds, means: Means
) -> AsyncIterator[Chat | None]:
    """What the teacher asks: the journal, over the budget, over the endpoint."""
    if config.teacher == DEMONSTRATION:
        yield None
        return
    from engine.endpoint import Endpoint

    chat, endpoint = means.chat, None
    if chat is None:
        chat = endpoint = Endpoint.from_environment(
            config.base_url or None,
            price=_price(config, bounds, means),
            concurrency=means.concurrency,
        )
    budget = _budget(out, bounds)
    with Journal(_journal(out, means)) as kept:
        journaled = Journaled(Budgeted(chat, budget), kept)
        try:
            yield journaled
        finally:
            if endpoint is not None:
                endpoint.stop()
            await journaled.drain(DRAIN_SECONDS)
            if endpoint is not None:
                await endpoint.aclose()


def _spent(out: Path) -> Usage:
    """What the run in folder `out` has cost so far."""
    if not (out / FILE).exists():
        return Usage()
    with Store.open(out) as store:
        return store.usage()

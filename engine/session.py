"""One run from start to end: tasks, endpoint, journal, budget, progress, Ctrl-C."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import environments
from engine.budget import Budget, Budgeted
from engine.chat import Chat
from engine.config import Config
from engine.demonstration import NAME as DEMONSTRATION
from engine.executors.local import Local
from engine.explore import Summary, explore
from engine.journal import Journal, Journaled
from engine.prices import estimate, needed_price, price_of, read_prices
from engine.progress import Bar
from engine.store import FILE, Store
from engine.tasks import quarantine_file, read_ids, read_quarantine, select
from environments import Task
from sandbox.check import choose
from sandbox.sweep import sweep
from search.usage import Usage

TYPICAL = Usage(1, prompt_tokens=1500, completion_tokens=100)  # a request, for the estimate
DRAIN_SECONDS = 30.0  # how long Ctrl-C waits for replies that are under way, and paid


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a run may spend in all, by this command and by earlier ones; None: no bound."""

    usd: float | None = None
    calls: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tasks.  only: ids as `engine.tasks.read_ids` takes them.  quarantine: a file."""

    only: str = ""
    limit: int | None = None
    quarantine: Path | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What a run works with.

    chat: a model in this process, instead of the endpoint that the config names.
    journal: its file; None for `journal.db` beside the run.
    prices: a file over the built-in table.   concurrency: tasks at once, at most.
    """

    chat: Chat | None = None
    journal: Path | None = None
    prices: Path | None = None
    concurrency: int = 8


def run(
    config: Config,
    out: Path,
    *,
    selection: Selection = Selection(),
    bounds: Bounds = Bounds(),
    means: Means = Means(),
) -> Summary:
    """Explore into folder `out`, telling a person on standard error how it goes.

    Raises:
        TreegraftError: something that the user can mend.
        KeyboardInterrupt: after Ctrl-C, once replies under way are kept.
    """
    from rich.console import Console

    tasks = _tasks(config, selection)
    if config.teacher != DEMONSTRATION and means.chat is None:
        print(_estimate(config, bounds, means, len(tasks)), file=sys.stderr)

    async def main() -> Summary:
        async with _asked(config, out, bounds, means) as asked:
            executor = Local(asked, means.concurrency)
            return await explore(config, tasks, out, executor, progress=bar)

    with Bar(Console(stderr=True)) as bar:
        return asyncio.run(main())


def _estimate(config: Config, bounds: Bounds, means: Means, tasks: int) -> str:
    """What the run may come to, said before anything is spent."""
    most = [bound for bound in (bounds.calls,) if bound is not None]
    if config.task_max_calls is not None:
        most.append(tasks * config.task_max_calls)
    if not most:
        return f"{tasks} tasks, with no bound on requests: see --max-calls, --task-max-calls"
    calls = min(most)
    price = price_of(config.teacher, read_prices(means.prices))
    if price is None:
        return f"{tasks} tasks, at most {calls} requests; no price is known for {config.teacher}"
    usd = estimate(price, 1, calls, TYPICAL).usd
    return (
        f"{tasks} tasks, at most {calls} requests: ${usd:.2f} if each reads "
        f"{TYPICAL.prompt_tokens} tokens and writes {TYPICAL.completion_tokens}"
    )


def _tasks(config: Config, selection: Selection) -> list[Task]:
    default = quarantine_file(config.env, config.split)
    file = selection.quarantine or (default if default.exists() else None)
    bad = read_quarantine(file, config.data) if file else {}
    env = environments.make(config.env, **config.env_options)
    try:
        only = read_ids(selection.only)
        tasks = select(env.tasks, only=only, limit=selection.limit, quarantined=bad)
        left_out = sum(task.id in bad for task in env.tasks)
        if env.sandboxed:
            sweep()
            choice = choose(config.sandbox)
            print(f"sandbox: {choice.backend.name} ({choice.why})", file=sys.stderr)
    finally:
        env.close()
    if left_out:
        print(f"{left_out} tasks are left out: {file}", file=sys.stderr)
    return tasks


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
        bounded = bounds.usd is not None or config.task_max_usd is not None
        price = (needed_price if bounded else price_of)(config.teacher, read_prices(means.prices))
        chat = endpoint = Endpoint.from_environment(
            config.base_url or None, price=price, concurrency=means.concurrency
        )
    file = means.journal or out.resolve().parent / "journal.db"
    budget = Budget(bounds.usd, bounds.calls, bounds.tokens, _spent(out))
    with Journal(file) as kept:
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

"""One run from start to end: tasks, endpoint, journal, budget, progress, Ctrl-C."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import environments
from engine.chat.prices import estimate, price_of, read_prices
from engine.config import Config
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.policies.probe import probe
from engine.runs.build_executor import Resources, RunBudget, open_executor
from engine.runs.explore import Summary, explore
from engine.runs.progress import Bar
from engine.runs.store import FILE, Store
from engine.runs.tasks import quarantined, read_ids, select
from environments import Task
from sandbox.check import choose
from sandbox.sweep import sweep
from search.usage import Usage

TYPICAL = Usage(1, prompt_tokens=1500, completion_tokens=100)  # a request, for the estimate


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tasks.  only: ids as `engine.runs.tasks.read_ids` takes them.  quarantine: a file."""

    only: str = ""
    limit: int | None = None
    quarantine: Path | None = None


ALL, NO_BUDGET, LOCAL = Selection(), RunBudget(), Resources()


def run(
    config: Config,
    out: Path,
    *,
    selection: Selection = ALL,
    bounds: RunBudget = NO_BUDGET,
    means: Resources = LOCAL,
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
        if config.student and _unfinished(out, tasks):
            await probe(config.student, config.swift_threshold)
        async with open_executor(config, out, bounds, means) as chosen:
            return await explore(config, tasks, out, chosen, progress=bar)

    with Bar(Console(stderr=True)) as bar:
        return asyncio.run(main())


def _unfinished(out: Path, tasks: list[Task]) -> bool:
    if not (out / FILE).exists():
        return True
    with Store.create(out) as store:  # see `build_executor._spent`
        return not {task.id for task in tasks} <= store.finished()


def _estimate(config: Config, bounds: RunBudget, means: Resources, tasks: int) -> str:
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
    bad, file = quarantined(config.env, config.split, config.data, selection.quarantine)
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

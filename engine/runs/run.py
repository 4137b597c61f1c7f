"""One run from start to end: tasks, endpoint, journal, budget, progress."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from engine.chat.prices import cost, price_of, read_prices
from engine.config import Config
from engine.executors.base import close_env, make_env, tasks_of
from engine.panels import TASKS
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.policies.demonstration import require_solutions
from engine.policies.probe import probe
from engine.runs.build_executor import (
    Resources,
    RunBudget,
    check_teacher,
    open_executor,
    unpriced_models,
)
from engine.runs.check_world import check_plays, check_told, is_own
from engine.runs.data_state import changed
from engine.runs.explore import Progress, RunOptions, Summary, explore
from engine.runs.quarantine import left_out
from engine.runs.shots import read_shots
from engine.runs.store import FILE, Store
from engine.runs.tasks import read_ids, select
from engine.terminal import sandbox_line
from environments import BadWorld, Task, ToolEnv
from sandbox.check import choose
from sandbox.sweep import sweep
from search.faults import TaskFault
from search.usage import Usage
from treegraft.ranges import check_ranges

T = TypeVar("T")

TYPICAL = Usage(1, prompt_tokens=1500, completion_tokens=100)
"""A request, for the estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which tasks of the data a run takes.

    Attributes:
        tasks: Task ids, a,b,c; or @FILE with one id per line.
        limit: Take at most this many tasks.
        quarantine: File of tasks to leave out, as `engine validate` writes it.
        strict: Refuse data that holds a bad record; else it is told and left out.
    """

    tasks: str = field(default="", metadata={"panel": TASKS, "default": "all"})
    limit: int | None = field(default=None, metadata={"panel": TASKS, "min": 1})
    quarantine: Path | None = field(
        default=None,
        metadata={"panel": TASKS, "default": "those in runs/ of the same tasks"},
    )
    strict: bool = field(default=False, metadata={"panel": TASKS})

    def __post_init__(self) -> None:
        check_ranges(self)


ALL, NO_BUDGET, LOCAL = Selection(), RunBudget(), Resources()


async def run(
    config: Config,
    out: Path,
    *,
    selection: Selection = ALL,
    budget: RunBudget = NO_BUDGET,
    resources: Resources = LOCAL,
    progress: Progress | None = None,
) -> Summary:
    """Explore into folder `out`; go on where an earlier call stopped.

    Raises:
        TreegraftError: Something the user can fix.
    """
    progress = progress or Progress()
    config = with_examples(config, progress)
    await check_teacher(config, out, resources)
    tasks, env = _tasks(config, selection, progress)
    if not (env.graded or config.grader):
        progress.note(
            "nobody knows the answers to these tasks, so every reward is 0; a model can grade "
            "them: engine explore --grader MODEL@URL, trainer eval --tooleval MODEL@URL"
        )
    if is_own(env) and resources.executor == "local":
        try:
            check_plays(config, tasks, solved=config.teacher == DEMONSTRATION)
        except BadWorld as error:
            if resources.fail_fast and isinstance(error.__cause__, TaskFault):
                progress.note(error.__cause__.trace)
            raise
    before = env.data_state()
    if config.teacher != DEMONSTRATION and resources.chat is None:
        progress.note(_estimate(config, budget, resources, len(tasks)))
    unpriced = unpriced_models(config, resources)
    bounded = budget.usd is not None or config.budget.usd is not None
    if bounded and config.student_endpoint and config.student_endpoint.model in unpriced:
        progress.note(
            f"the dollars leave out the student's requests: no price is known for "
            f"{config.student_endpoint.model!r} (--prices)"
        )
    if config.student_endpoint and _unfinished(out, tasks):
        await probe(config.student_endpoint, config.student_threshold)
    async with open_executor(config, out, budget, resources) as chosen:
        options = RunOptions(resources.fail_fast, unpriced, before, resources.report_to)
        summary = await explore(config, tasks, out, chosen, progress=progress, options=options)
    for file in changed(before, env.data_state()):
        progress.note(f"{file} has changed while the run went on: its trees may be of both states")
    return summary


def with_examples(config: Config, progress: Progress) -> Config:
    """Return `config` with the examples that it names.

    Raises:
        UsageError: There are none, or one is of a test split.
    """
    if not config.shots:
        return config
    examples = read_shots(config.shots, config.shots_from, config.seed)
    progress.note(f"--shots-from {config.shots_from}: examples of {len(examples.pool)} tasks")
    return replace(config, examples=examples)


def wait(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end, also where an event loop is running already (a notebook)."""
    if not _in_loop():  # not asked inside `except`, which every traceback would show
        return asyncio.run(work())
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _unfinished(out: Path, tasks: list[Task]) -> bool:
    if not (out / FILE).exists():
        return True
    with Store.create(out) as store:  # a kill may have left the file without its tables
        return not {task.id for task in tasks} <= store.finished()


def _estimate(config: Config, budget: RunBudget, resources: Resources, tasks: int) -> str:
    """Return what the run may cost, before anything is spent."""
    bounds = [budget.calls] if budget.calls is not None else []
    if config.budget.calls is not None:
        bounds.append(tasks * config.budget.calls)
    if not bounds:
        return f"{tasks} tasks, no bound on requests: see --budget-calls and --task-budget-calls"
    calls = min(bounds)
    price = price_of(config.teacher, read_prices(resources.prices))
    if price is None:
        return f"{tasks} tasks, at most {calls} requests; no price is known for {config.teacher}"
    usd = calls * cost(price, TYPICAL)
    return (
        f"{tasks} tasks, at most {calls} requests: ${usd:.2f} if each reads "
        f"{TYPICAL.prompt_tokens} tokens and writes {TYPICAL.completion_tokens}"
    )


def _tasks(config: Config, selection: Selection, progress: Progress) -> tuple[list[Task], ToolEnv]:
    """Return the tasks, and the environment that read them, closed."""
    env = make_env(config)
    env.strict = selection.strict
    try:
        if config.teacher == DEMONSTRATION:
            require_solutions(env)
        check_told(env)
        known = tasks_of(env)
        unsound = left_out(config.env, config.data, known, selection.quarantine)
        tasks = select(
            known,
            only=read_ids(selection.tasks),
            limit=selection.limit,
            quarantined=unsound.reasons,
        )
        if env.sandboxed:
            sweep()
            choice = choose(config.sandbox)
            progress.note(f"sandbox: {choice.backend.name} ({choice.why})")
        else:
            unused = sandbox_line(config.sandbox, config.env, env.sandboxed)
            progress.note(unused or f"sandbox: none ({config.env} uses none)")
    finally:
        close_env(env)
    for note in unsound.notes:
        progress.note(note)
    return tasks, env

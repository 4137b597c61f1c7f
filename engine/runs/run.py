"""One run from start to end: tasks, endpoint, journal, budget, progress."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from engine.config import Config
from engine.policies.probe import probe
from engine.runs.build_executor import Resources, RunBudget, check_teacher, open_executor
from engine.runs.data_state import changed
from engine.runs.explore import Progress, RunOptions, Summary, explore
from engine.runs.plan import ALL, LOCAL, NO_BUDGET, Plan, Selection, make_plan

T = TypeVar("T")


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
    plan = await make_plan(
        config, out, selection=selection, budget=budget, resources=resources, progress=progress
    )
    if plan.estimate:
        progress.note(plan.estimate.line)
    return await carry_out(plan, progress)


async def carry_out(plan: Plan, progress: Progress) -> Summary:
    """Explore as `plan` says.

    Raises:
        TreegraftError: Something the user can fix.
    """
    config, out, resources = plan.config, plan.out, plan.resources
    await check_teacher(config, out, resources)
    bounded = plan.budget.usd is not None or config.budget.usd is not None
    if bounded and config.student_endpoint and config.student_endpoint.model in plan.unpriced:
        progress.note(
            f"the dollars leave out the student's requests: no price is known for "
            f"{config.student_endpoint.model!r} (--prices)"
        )
    if config.student_endpoint and plan.left:
        await probe(config.student_endpoint, config.student_threshold)
    async with open_executor(config, out, plan.budget, resources) as chosen:
        options = RunOptions(
            resources.fail_fast, plan.unpriced, plan.data, resources.report_to, plan.settings
        )
        summary = await explore(config, plan.tasks, out, chosen, progress=progress, options=options)
    for file in changed(plan.data, plan.world.data_state()):
        progress.note(f"{file} has changed while the run went on: its trees may be of both states")
    return summary


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

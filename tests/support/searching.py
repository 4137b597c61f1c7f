"""Searches of one task from flat options."""

from typing import Any

from environments import Task, ToolEnv
from search import Judge, Policy, Search, TaskBudget, Tree


async def play(
    search: type[Search],
    env: ToolEnv,
    task: Task,
    policy: Policy,
    *,
    judge: Judge | None = None,
    calls: int | None = 60,
    **options: Any,
) -> Tree:
    """Search `task`; what is not a bound is an option of the search."""
    budget = TaskBudget(calls=calls, tokens=options.pop("tokens", None))
    return await search(**options).search(env, task, policy, budget, judge)

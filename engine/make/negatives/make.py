"""Make as many negatives as are wanted, of all kinds alike, and say why others were left out."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import get_args

from engine.config import one_of
from engine.make.asker import Asker, AskerSettings, open_asker
from engine.make.negatives.check import fault
from engine.make.negatives.reword import reworded
from engine.make.negatives.rules import candidates
from engine.panels import TASKS
from engine.runs.build_executor import RunBudget
from environments import ToolEnv
from environments.demonstrable import gold_actions
from environments.negatives import NEGATIVE, Kind
from environments.plays import play
from environments.types import Task
from search.policy import BudgetSpent
from treegraft.ranges import check_ranges

_SPENT = "budget"
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class NegativeSettings:
    """Which negatives to make.

    Attributes:
        n: How many.
        kinds: Of which kinds: given (the answer stands in the prompt), talk (the user only talks),
            missing (the tools are missing).
    """

    n: int = field(default=50, metadata={"panel": TASKS, "min": 1})
    kinds: tuple[str, ...] = field(
        default=KINDS, metadata={"panel": TASKS, "comma": True, "default": "all"}
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        for kind in self.kinds:
            one_of("kinds", kind, KINDS)


@dataclass(slots=True)
class Negatives:
    """What came of it.

    Attributes:
        tasks: The negatives.
        dropped: How many were left out, by reason.
        stopped: Whether the budget ended it.
    """

    tasks: list[Task] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    stopped: bool = False

    def counts(self) -> dict[str, int]:
        """Return the number of negatives by kind."""
        return dict(Counter(task.tags[NEGATIVE] for task in self.tasks))


@dataclass(frozen=True, slots=True)
class Worlds:
    """A world, called `name`, and the same with negatives."""

    name: str
    base: ToolEnv
    world: ToolEnv


def make_negatives(
    worlds: Worlds, tasks: Sequence[Task], settings: NegativeSettings, seed: int = 0
) -> Negatives:
    """Return negatives made from `tasks` by rule, one of each, and checked by playing them.

    It is of the kind of which there are fewest by then.

    Raises:
        NoSolution: the world knows no solution of a task.
    """
    found = Negatives()
    prompts: set[str] = set()
    for task in sorted(tasks, key=lambda task: Random(f"{seed}|{task.id}|order").random()):
        if len(found.tasks) >= settings.n:
            break
        steps = play(worlds.base, task, gold_actions(worlds.base, task))
        counts = found.counts()
        made = candidates(worlds.name, worlds.base, task, steps, seed)
        wanted = [each for each in made if each[0] in settings.kinds]
        for kind, each, why in sorted(wanted, key=lambda one: counts.get(one[0], 0)):
            why = why or fault(worlds.world, each, steps) if each is not None else why
            why = "duplicate" if each is not None and each.prompt in prompts else why
            if each is not None and not why:
                prompts.add(each.prompt)
                found.tasks.append(each)
                break
            found.dropped[f"{kind}: {why}"] += 1
    return found


async def reword(
    found: Negatives, asking: AskerSettings, budget: RunBudget, output: Path
) -> Negatives:
    """Return negatives in the words of a model; those that are none any more are left out.

    Raises:
        PolicyError: the model cannot be asked.
    """
    async with open_asker(asking, budget, output) as asker:
        made = await asyncio.gather(*(_reworded(asker, task) for task in found.tasks))
    new = Negatives([task for task, _ in made if task], Counter(found.dropped))
    for before, (task, why) in zip(found.tasks, made, strict=True):
        if task is None:
            new.stopped |= why == _SPENT
            new.dropped[f"{before.tags[NEGATIVE]}: {why}"] += 1
    return new


async def _reworded(asker: Asker, task: Task) -> tuple[Task | None, str]:
    try:
        return await reworded(asker, task)
    except BudgetSpent:
        return None, _SPENT

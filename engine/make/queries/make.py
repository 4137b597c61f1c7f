"""From the tasks of a world to new tasks whose prompts are in other words."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from engine.chat.base import EndpointUnusable
from engine.errors import UsageError
from engine.make.asker import RULES, Asker, AskerSettings, open_asker
from engine.make.queries import rules
from engine.make.queries.asking import Reworded, reword
from engine.make.queries.checks import doubt
from engine.panels import TASKS
from engine.runs.build_executor import RunBudget
from environments import NoSolution, Task, ToolEnv
from environments.demonstrable import gold_actions
from search.policy import BudgetSpent, PolicyError
from treegraft.ranges import check_ranges

WAYS = ("paraphrase", "typos", "inverted", "language")
BY_RULE = ("paraphrase", "typos")
"""Ways that need no model; typos are always made by rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySettings:
    """Which new tasks to make.

    Attributes:
        n: How many new tasks to make.
        how: Ways to reword, which take turns: paraphrase, typos, inverted, language:de. The last
            two need a model.

    Raises:
        UsageError: A way is unknown.
    """

    n: int = field(default=20, metadata={"panel": TASKS, "min": 1})
    how: tuple[str, ...] = field(default=BY_RULE, metadata={"panel": TASKS, "comma": True})

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.how:
            raise UsageError(f"--how is empty; use {', '.join(WAYS)}")
        for way in self.how:
            kind, colon, language = way.partition(":")
            if kind not in WAYS or (kind == "language") != bool(colon and language.strip()):
                known = ", ".join((*WAYS[:-1], "language:CODE"))
                raise UsageError(f"--how holds {way!r}; use {known}")


@dataclass(slots=True)
class MadeQueries:
    """What was made.

    Attributes:
        tasks: the new tasks.
        left_out: how many were left out, by reason.
        stopped: why no more was made; "" if all were.
    """

    tasks: list[Task] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    stopped: str = ""


async def make_queries(
    env: ToolEnv,
    tasks: Sequence[Task],
    settings: QuerySettings,
    asking: AskerSettings,
    budget: RunBudget,
    output: Path,
) -> MadeQueries:
    """Return new tasks of `env`, each one of `tasks` in other words; they keep split and group.

    Args:
        env: plays the solutions.
        tasks: those to reword.
        settings: how many, and in which ways.
        asking: whom to ask; `rules` asks nobody.
        budget: what may be spent.
        output: the journal stands beside it.

    Raises:
        UsageError: a way needs a model.
        PolicyError: the endpoint cannot be reached.
    """
    needing = [way for way in settings.how if way.partition(":")[0] not in BY_RULE]
    if asking.by_rules and needing:
        raise UsageError(f"--how {needing[0]} needs --model; rules make {' and '.join(BY_RULE)}")
    made, seen = MadeQueries(), {task.prompt for task in tasks}
    candidates = _candidates(tasks, settings.how, asking.seed)
    async with _asker(asking, budget, output) as asker:
        while len(made.tasks) < settings.n and not made.stopped:
            wanted = settings.n - len(made.tasks)
            batch = [each for _, each in zip(range(wanted), candidates, strict=False)]
            if not batch:
                made.stopped = "every task was reworded in every way"
            drawn = [_reworded(asker, env, task, way, asking.seed) for task, way in batch]
            for (task, way), found in zip(batch, await asyncio.gather(*drawn), strict=True):
                _keep(env, task, _task(task, way, found, asker), found, (made, seen))
    return made


def _keep(
    env: ToolEnv, old: Task, new: Task, found: Reworded, kept: tuple[MadeQueries, set[str]]
) -> None:
    """Add `new` to what was made, or its reason to what was left out."""
    made, seen = kept
    why = found.wrong or ("made twice" if new.prompt in seen else doubt(env, old, new))
    if why == _SPENT:
        made.stopped = why
    elif why:
        made.left_out[why] += 1
    else:
        made.tasks.append(new)
        seen.add(new.prompt)


_SPENT = "the budget is spent"


def _task(old: Task, way: str, found: Reworded, asker: Asker | None) -> Task:
    made: Mapping[str, object] = {
        "by": asker.name if asker and found.replies else RULES,
        "how": way,
        "from": [old.id],
        **({"replies": list(found.replies)} if found.replies else {}),
    }
    return replace(old, id=f"{old.id}~{way.replace(':', '-')}", prompt=found.text, made=made)


async def _reworded(asker: Asker | None, env: ToolEnv, task: Task, way: str, seed: int) -> Reworded:
    rng = Random(f"{seed}|{task.id}|{way}")
    if way == "typos":
        return _with_typos(env, task, rng)
    if asker is None:
        return Reworded(rules.paraphrase(task.prompt, rng))
    try:
        return await reword(asker, task.prompt, way)
    except BudgetSpent:
        return Reworded("", wrong=_SPENT)
    except EndpointUnusable:
        raise
    except PolicyError:
        return Reworded("", wrong="the request failed")


def _with_typos(env: ToolEnv, task: Task, rng: Random) -> Reworded:
    """Return typos in words that the solution does not use as they are."""
    try:
        gold = gold_actions(env, task)
    except NoSolution:
        return Reworded("", wrong="no solution")
    used = " ".join(str(value) for action in gold for value in action.arguments.values())
    kept = set("".join(c if c.isalpha() else " " for c in used.casefold()).split())
    return Reworded(rules.typos(task.prompt, rng, kept))


def _candidates(
    tasks: Sequence[Task], ways: Sequence[str], seed: int
) -> Iterator[tuple[Task, str]]:
    """Yield each task in each way; ways take turns, and a task comes again after all others."""
    order = list(tasks)
    Random(f"{seed}|queries").shuffle(order)
    for turn in range(len(ways)):
        for place, task in enumerate(order):
            yield task, ways[(place + turn) % len(ways)]


@asynccontextmanager
async def _asker(
    asking: AskerSettings, budget: RunBudget, output: Path
) -> AsyncIterator[Asker | None]:
    if asking.by_rules:
        yield None
        return
    async with open_asker(asking, budget, output) as asker:
        yield asker

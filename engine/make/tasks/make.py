"""Make tasks for a world, check each, and count what is left out."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.config import one_of
from engine.errors import UsageError
from engine.make.asker import RULES, Asker, AskerSettings, open_asker
from engine.make.tasks import derive, self_instruct
from engine.make.tasks.candidates import Candidate, MadeTasks, finished
from engine.make.tasks.checks import Checks
from engine.make.tasks.solver import EnvThread, Solver
from engine.panels import TASKS
from engine.runs.build_executor import RunBudget
from environments.base import ToolEnv
from environments.task_making import Doubt, TaskMaker, maker_of
from environments.types import Task
from search.policy import BudgetSpent, PolicyError
from treegraft.ranges import check_ranges

HOWS = (RULES, self_instruct.HOW, derive.HOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMaking:
    """How tasks are made.

    Attributes:
        how: rules makes them by the world's own rules, self-instruct lets a model write them, and
            derive plays the gold answers of the data (or lets --model solve them).
        n: How many.
        tries: Candidates for each task that is wanted, at most.
        examples: Tasks of the data that a model is shown for each that it writes (self-instruct).
        most_alike: ROUGE-L with an earlier question from which on one is left out (self-instruct).
        depth: Most steps of the solver.
    """

    how: str = field(default=RULES, metadata={"panel": TASKS})
    n: int = field(default=50, metadata={"panel": TASKS, "min": 1})
    tries: int = field(default=10, metadata={"panel": TASKS, "min": 1})
    examples: int = field(default=3, metadata={"panel": TASKS, "min": 0})
    most_alike: float = field(default=0.7, metadata={"panel": TASKS, "above": 0, "max": 1})
    depth: int = field(default=12, metadata={"panel": TASKS, "min": 1})

    def __post_init__(self) -> None:
        check_ranges(self)
        one_of("how", self.how, HOWS)


async def make_tasks(
    env: ToolEnv, making: TaskMaking, asking: AskerSettings, budget: RunBudget, output: Path
) -> MadeTasks:
    """Return new tasks for `env`, and those that were left out.

    Args:
        env: A world whose tasks, all or those of a split, say what new ones may be about.
        output: The file that they are for; the journal stands beside it.

    Raises:
        UsageError: The world cannot make tasks in this way.
        EndpointUnusable: The model cannot be asked at all.
    """
    maker = maker_of(env) or TaskMaker(env)
    _check(maker, making, asking)
    own = making.how == self_instruct.HOW
    made, world = MadeTasks(), EnvThread(env)
    checks = Checks(env, maker, making.most_alike if own else None)
    async with AsyncExitStack() as stack:
        stack.callback(world.close)
        asker = None
        if not asking.by_rules:
            asker = await stack.enter_async_context(open_asker(asking, budget, output))
        work = _Work(making, asking, world, checks, made, asker)
        if making.how != derive.HOW:
            await world.call(checks.know, env.tasks)
        await work.run()
    return made


def _check(maker: TaskMaker, making: TaskMaking, asking: AskerSettings) -> None:
    name = type(maker.env).__name__
    if making.how == RULES and not maker.has_rules:
        raise UsageError(
            f"{name} has no rules that make tasks: use --how {self_instruct.HOW} with a --model, "
            f"or --how {derive.HOW}"
        )
    if making.how == RULES and not asking.by_rules:
        raise UsageError(f"--how {RULES} asks no model: leave out --model {asking.model}")
    if making.how == self_instruct.HOW:
        if asking.by_rules:
            raise UsageError(f"--how {self_instruct.HOW} lets a model write tasks: name a --model")
        if not maker.form:
            raise UsageError(
                f"{name} does not say what a model is to write for a task: use --how {derive.HOW}, "
                "or give the world a maker (environments/task_making.py)"
            )


@dataclass
class _Work:
    making: TaskMaking
    asking: AskerSettings
    world: EnvThread
    checks: Checks
    made: MadeTasks
    asker: Asker | None

    @property
    def most(self) -> int:
        """Candidates at most."""
        return self.making.n * self.making.tries

    async def run(self) -> None:
        """Check one candidate after another, until there are enough tasks."""
        tried = 0
        try:
            async for candidate in self._candidates():
                if self._missing() <= 0 or tried == self.most:
                    break
                tried += 1
                await self._take(candidate)
        except BudgetSpent as spent:
            self.made.stopped = f"the budget is spent: {spent}"
        if self._missing() > 0 and not self.made.stopped:
            self.made.stopped = f"no more was found among {tried} candidates (see --tries)"

    async def _take(self, candidate: Candidate) -> None:
        task, doubt = candidate.task, candidate.doubt
        if task is not None and doubt is None:
            doubt = await self.world.call(self.checks.doubt, task)
            if doubt is None:
                task, doubt = await self._confirmed(task)
        if doubt is not None or task is None:
            self.made.rejected.append(replace(candidate, doubt=doubt))
            return
        self.checks.know([task])
        self.made.tasks.append(task)

    async def _confirmed(self, task: Task) -> tuple[Task, Doubt | None]:
        """Let a second solver play what a model wrote, without a hint."""
        if self.making.how != self_instruct.HOW:
            return task, None
        try:
            played = await self._solver().play(task)
        except PolicyError as error:
            return task, Doubt("unanswered", str(error))
        if played.why:
            return task, Doubt("disagreement", f"the second solver: {played.why}")
        return self_instruct.with_solver(task, played.replies), None

    def _missing(self) -> int:
        return self.making.n - len(self.made.tasks)

    def _solver(self) -> Solver:
        assert self.asker is not None
        return Solver(self.asker, self.world, self.making.depth)

    def _candidates(self) -> AsyncIterator[Candidate]:
        if self.making.how == RULES:
            return self._by_rules()
        if self.making.how == derive.HOW:
            tasks = list(self.world.env.tasks)
            return (
                self._derived(tasks) if self.asker is None else derive.solved(self._solver(), tasks)
            )
        assert self.asker is not None
        writer = self_instruct.Writer(
            self.asker,
            self.world,
            self.checks.maker,
            self.asking.seed,
            self.making.examples,
            self._missing,
        )
        return writer.candidates(self.most, self.asking.concurrency)

    async def _by_rules(self) -> AsyncIterator[Candidate]:
        found = self.checks.maker.by_rules(self.asking.seed)
        while (task := await self.world.call(next, found, None)) is not None:
            yield Candidate(finished(task, RULES, RULES))

    async def _derived(self, tasks: list[Task]) -> AsyncIterator[Candidate]:
        for task in tasks:
            yield await self.world.call(derive.derived, self.world.env, task)

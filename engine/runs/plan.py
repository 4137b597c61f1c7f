"""What a run will do, before anything is sent or written: tasks, first request, cost."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.chat.base import LOCAL as IN_PROCESS
from engine.chat.base import ChatReply, ChatRequest
from engine.chat.prices import price_of, read_prices
from engine.config import Config
from engine.errors import UsageError
from engine.executors.base import close_env, make_env, tasks_of
from engine.executors.build_policy import build_policy
from engine.panels import TASKS
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.policies.demonstration import require_solutions
from engine.runs.build_executor import Resources, RunBudget, unpriced_models
from engine.runs.check_world import check_plays, check_told, is_own
from engine.runs.estimate import Estimate, Known, estimate
from engine.runs.explore import Progress, as_begun
from engine.runs.quarantine import left_out
from engine.runs.shots import read_shots
from engine.runs.store import FILE, Store
from engine.runs.tasks import read_ids, select
from engine.terminal import sandbox_line
from environments import BadWorld, Task, ToolEnv
from sandbox.check import choose
from sandbox.sweep import sweep
from search import BudgetSpent, Cot, Request
from search.env_calls import in_thread
from search.faults import TaskFault, blamed, faults_blamed
from search.usage import Usage
from treegraft.errors import TreegraftError
from treegraft.ranges import check_ranges

_CHARACTERS = 4  # of a token, as assumed


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run that has not begun, or not gone on.

    Attributes:
        config, out, budget, resources: As `run` takes them; the config with its examples.
        tasks: The tasks selected.
        left: Those of them that have no finished tree.
        world: The environment that read the tasks, closed.
        data: The state of each file that they are played on.
        unpriced: Models whose price is not known.
        first: The first request of the first task that is left, or why it has none; None where no
            endpoint is asked.
        estimate: What the run may cost; None where no endpoint is asked.
        settings: A file with which the run can be started again; "" to keep none.
    """

    config: Config
    out: Path
    budget: RunBudget
    resources: Resources
    tasks: Sequence[Task]
    left: Sequence[Task]
    world: ToolEnv
    data: Mapping[str, str]
    unpriced: Sequence[str]
    first: ChatRequest | TreegraftError | None
    estimate: Estimate | None
    settings: str = ""


async def make_plan(
    config: Config,
    out: Path,
    *,
    selection: Selection = ALL,
    budget: RunBudget = NO_BUDGET,
    resources: Resources = LOCAL,
    progress: Progress | None = None,
) -> Plan:
    """Return what a run into folder `out` will do. Nothing is sent, and nothing is written there.

    Raises:
        TreegraftError: Something the user can fix.
    """
    progress = progress or Progress()
    config = with_examples(config, progress)
    begun = _begun(out, config)
    env = make_env(config)
    env.strict = selection.strict
    try:
        tasks = _tasks(env, config, selection, progress)
        left = [task for task in tasks if task.id not in begun.finished]
        asks = config.teacher != DEMONSTRATION and resources.chat is None
        first = await _first(begun.config, env, left[0]) if asks and left else None
    finally:
        close_env(env)
    if is_own(env) and resources.executor == "local":
        _check_plays(config, tasks, resources, progress)
    unpriced = unpriced_models(config, resources)
    expected = None
    if asks:
        known = Known(
            _tokens(first),
            price_of(config.teacher, read_prices(resources.prices)),
            resources.concurrency * _workers(resources),
            begun.costs,
            begun.spent,
            begun.pace,
        )
        expected = estimate(config, budget, len(left), len(tasks) - len(left), known)
    return Plan(
        config=config,
        out=out,
        budget=budget,
        resources=resources,
        tasks=tasks,
        left=left,
        world=env,
        data=env.data_state(),
        unpriced=unpriced,
        first=first,
        estimate=expected,
    )


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


@dataclass(frozen=True, slots=True)
class _Begun:
    """What the run's folder holds; nothing before the first call.

    config: that with which it goes on.
    finished: ids of tasks with a finished tree.   costs: what each of them cost.
    spent: what the run has cost.   pace: requests per second of the latest call.
    """

    config: Config
    finished: frozenset[str] = frozenset()
    costs: Sequence[Usage] = ()
    spent: Usage = Usage()
    pace: float | None = None


def _begun(out: Path, config: Config) -> _Begun:
    """Read the run in folder `out`.

    Raises:
        UsageError: It is another run.
    """
    file = out / FILE
    if not file.exists():
        return _Begun(config)
    try:
        opened = Store.open(out)
    except UsageError:  # a kill came before its tables; if it is none, the run says so
        return _Begun(config)
    with opened as store:
        meta = store.meta()
        if "config" in meta and not store.empty:
            config = as_begun(meta, config)
        costs = store.usage_of_finished()
        return _Begun(config, frozenset(store.finished()), costs, store.usage(), meta.get("pace"))


def _tasks(env: ToolEnv, config: Config, selection: Selection, progress: Progress) -> list[Task]:
    """Return the tasks that `selection` names, and say what is to be known of them."""
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
    for note in unsound.notes:
        progress.note(note)
    if not (env.graded or config.grader):
        progress.note(
            "nobody knows the answers to these tasks, so every reward is 0; a model can grade "
            "them: engine explore --grader MODEL@URL, trainer eval --tooleval MODEL@URL"
        )
    return tasks


def _check_plays(
    config: Config, tasks: Sequence[Task], resources: Resources, progress: Progress
) -> None:
    """Play some tasks of the user's own world; with --fail-fast, show where its code raised."""
    try:
        check_plays(config, tasks, solved=config.teacher == DEMONSTRATION)
    except BadWorld as error:
        if resources.fail_fast and isinstance(error.__cause__, TaskFault):
            progress.note(error.__cause__.trace)
        raise


class _Unsent:
    """A chat that keeps the request, and answers none."""

    base_url = f"{IN_PROCESS}unsent"

    def __init__(self) -> None:
        self.request: ChatRequest | None = None

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Keep `request`; see `Chat`."""
        self.request = request
        raise BudgetSpent("nothing is sent")


async def _first(config: Config, env: ToolEnv, task: Task) -> ChatRequest | TreegraftError | None:
    """Return the first request of `task`, as the search makes it; or why it makes none."""
    chat, search = _Unsent(), config.search
    policy = build_policy(config, env, chat, chat)
    drawn_at_once = getattr(search, "siblings", "") == "sample"
    try:
        if env.asynchronous or env.instant:
            task = blamed(env.with_tools, task)
        else:  # a world may have to ask a server for its tools
            task = await in_thread(env.with_tools, task, seconds=env.call_seconds)
        request = Request(
            task,
            count=search.width if drawn_at_once else 1,
            answer_only=isinstance(search, Cot),
        )
        with suppress(BudgetSpent), faults_blamed():
            await policy.propose(request)
    except TreegraftError as error:
        return error
    return chat.request


def _tokens(first: ChatRequest | TreegraftError | None) -> int | None:
    if not isinstance(first, ChatRequest):
        return None
    sent = json.dumps([first.messages, first.tools], ensure_ascii=False)
    return -(-len(sent) // _CHARACTERS)


def _workers(resources: Resources) -> int:
    return 1 if resources.executor == "local" else resources.workers or os.cpu_count() or 1

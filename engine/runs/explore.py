"""Explore many tasks at once, and keep their trees.

If a task's policy, environment or sandbox fails, the failure is recorded, with a traceback where
their code raised an exception. Any other exception is a defect and stops the run. A second call
continues: finished tasks are skipped, and the others are searched again over the journal, so that
no reply is paid for twice.
"""

import fcntl
import os
import platform
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic
from typing import Any

from engine.chat.limiter import Throttle
from engine.config import Config
from engine.errors import UsageError
from engine.executors.base import Executor, close_env, make_env
from engine.runs.codec import tools_to_lists
from engine.runs.data_state import note_data
from engine.runs.failure import Failure
from engine.runs.store import FILE, Store
from engine.telemetry.trackers import NONE, Reports, reports
from engine.templates import source_of
from engine.templates.base import world_of
from engine.templates.registry import as_explored
from environments import Task, ToolEnv
from search import Tree
from search.usage import Usage
from treegraft.errors import TreegraftError
from treegraft.file_errors import told
from treegraft.write_files import make_folder, write_text

SETTINGS = "config.toml"
"""The file in a run's folder with which the run can be started again."""


class Progress:
    """Receives what happens during a run. This base class shows nothing."""

    def note(self, text: str) -> None:
        """Receive a remark about the run as a whole."""

    def prices(self, unknown: Sequence[str]) -> None:
        """Receive the models whose price is not known, so that dollars are not either."""

    def throttle(self, now: Callable[[], Throttle]) -> None:
        """Receive what returns how many requests may run at once now."""

    def begin(self, total: int, done: int) -> None:
        """Receive the number of tasks selected, and of those finished earlier."""

    def tree(self, tree: Tree) -> None:
        """Receive a finished tree."""

    def failure(self, task: Task, error: Exception) -> None:
        """Receive the reason why a task has no tree."""


@dataclass(slots=True)
class Summary:
    """What one call of `explore` did.

    Attributes:
        tasks: Tasks selected.
        skipped: Tasks finished earlier.
        solved: Tasks searched now and solved.
        unsolved: Tasks searched now and not solved.
        failures: Why tasks have no tree.
        stopped: Tasks cut short by the run's budget.
        usage: What was spent now.
    """

    tasks: int = 0
    skipped: int = 0
    solved: int = 0
    unsolved: int = 0
    failures: list[Failure] = field(default_factory=list)
    stopped: int = 0
    usage: Usage = field(default_factory=Usage)

    @property
    def failed(self) -> int:
        """Number of tasks without a tree."""
        return len(self.failures)

    @property
    def complete(self) -> bool:
        """Whether every task has a tree whose search ended by itself."""
        return not (self.failed or self.stopped)


class FirstFailure(TreegraftError):
    """A task failed, and the user wants to see the first failure.

    Attributes:
        trace: The traceback, if the code of the environment or of the policy is at fault.
    """

    def __init__(self, task: Task, failure: Failure) -> None:
        super().__init__(f"stopped at the first failed task, {task.id}: {failure.message}")
        self.trace = failure.trace


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run is told beside its config.

    Attributes:
        fail_fast: Stop at the first task that fails.
        unpriced: The names of models whose price is not known; the run keeps them.
        data: The state of each file that the tasks are played on; see `ToolEnv.data_state`.
        report_to: The trackers that get the run's figures; see `engine.telemetry.trackers`.
        settings: What the run keeps as `SETTINGS`; "" for nothing.
    """

    fail_fast: bool = False
    unpriced: Sequence[str] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    report_to: str = NONE
    settings: str = ""


async def explore(
    config: Config,
    tasks: Sequence[Task],
    run: Path,
    executor: Executor,
    *,
    progress: Progress | None = None,
    options: RunOptions = RunOptions(),
) -> Summary:
    """Search each of `tasks` that has no finished tree in folder `run`.

    Raises:
        UsageError: The folder holds another run, or another process is working in it.
        FirstFailure: With `options.fail_fast`, a task failed.
        EndpointUnusable: The models cannot be asked at all; no task is marked as failed.
    """
    progress = progress or Progress()
    with locked(run), Store.create(run) as store:
        lead = make_env(config)
        try:
            config = claim(store, config, lead)
        finally:
            close_env(lead)
        if options.settings:
            write_text(run / SETTINGS, options.settings)
        for file in note_data(store, options.data):
            progress.note(
                f"{file} differs from the one that this run explored: its earlier trees are of "
                "another state; choose another --output to search all of its tasks again"
            )
        earlier = store.meta().get("unpriced", [])
        store.set_meta({"asked": len(tasks), "unpriced": sorted({*earlier, *options.unpriced})})
        progress.prices(options.unpriced)
        progress.throttle(executor.throttle)
        done = store.finished() & {task.id for task in tasks}
        progress.begin(len(tasks), len(done))
        summary = Summary(len(tasks), len(done))
        left = [task for task in tasks if task.id not in done]
        if left:
            with reports(options.report_to, run.name, _facts(config)) as sent, _one_line(run):
                keeper = _Keeper(store, progress, summary, sent, options.fail_fast)
                began = monotonic()
                try:
                    await executor.run(config, iter(left), keeper.keep)
                finally:
                    _keep_pace(store, summary.usage.calls, monotonic() - began)
                    keeper.report(last=True)
        return summary


def _keep_pace(store: Store, calls: int, seconds: float) -> None:
    """Keep how many requests a second the run has made, for the next estimate."""
    if calls:
        with suppress(UsageError):  # a full disk, which the run itself has met
            store.set_meta({"pace": calls / seconds})


def _facts(config: Config) -> dict[str, Any]:
    """Return what a tracker is told of a run."""
    return {
        "env": config.env,
        "split": config.split or "",
        "teacher": config.teacher,
        "search": config.search.name,
        "seed": config.seed,
    }


@contextmanager
def _one_line(run: Path) -> Iterator[None]:
    """Raise one error of a group that the user can fix, as a full disk; defects pass whole."""
    try:
        yield
    except ExceptionGroup as group:
        fixable, defects = group.split((TreegraftError, sqlite3.OperationalError))
        if fixable is None or defects is not None:
            raise
        first: Exception = fixable
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        if isinstance(first, TreegraftError):
            raise first from group
        raise UsageError(
            f"{run / FILE}: {first}; mend that, then run the same command: finished tasks are kept"
        ) from group


@dataclass(slots=True)
class _Keeper:
    store: Store
    progress: Progress
    summary: Summary
    sent: Reports
    fail_fast: bool
    found: int = 0

    def keep(self, task: Task, found: Tree | TreegraftError) -> None:
        """Store the result of `task` and count it."""
        self.found += 1
        self._keep(task, found)
        self.report()

    def report(self, *, last: bool = False) -> None:
        """Send the run's figures to its trackers."""
        self.sent.update(self._figures, self.summary.skipped + self.found, last=last)

    def _figures(self, seconds: float) -> dict[str, float]:
        now = self.summary
        trees = self.found - now.failed
        return {
            "tasks": now.skipped + self.found,
            "solved": now.solved,
            "solve_rate": now.solved / trees if trees else 0.0,
            "failed": now.failed,
            "calls": now.usage.calls,
            "tokens": now.usage.tokens,
            "usd": now.usage.usd,
            "tasks_per_minute": 60 * self.found / seconds if seconds else 0.0,
        }

    def _keep(self, task: Task, found: Tree | TreegraftError) -> None:
        if isinstance(found, TreegraftError):
            failure = Failure.of(task, found)
            self.store.add_failure(task, failure)
            self.summary.failures.append(failure)
            self.progress.failure(task, TreegraftError(failure.message))
            if self.fail_fast:
                raise FirstFailure(task, failure)
            return
        self.store.add_tree(found)
        self.summary.usage += found.usage
        cut = found.stopped == "budget"
        self.summary.stopped += cut  # also where a path was found: more were asked for
        self.summary.solved += found.solved
        self.summary.unsolved += not (found.solved or cut)
        self.progress.tree(found)


def claim(store: Store, config: Config, env: ToolEnv) -> Config:
    """Make the run this config's, or check that it is. A run that holds nothing is any config's.

    Returns:
        The config to explore with; see `as_begun`.

    Raises:
        UsageError: It is another config's; nothing is overwritten.
    """
    meta = store.meta()
    if "config" in meta and not store.empty:
        return as_begun(meta, config)
    shown = world_of(env)
    store.set_meta(
        {
            "config": config.to_dict(),
            **_template_sources(config),
            "world": {
                "instructions": shown.instructions,
                "tools": tools_to_lists(shown.tools),
            },
            "versions": versions(),
        }
    )
    return config


def as_begun(meta: Mapping[str, Any], config: Config) -> Config:
    """Return the config with which a run goes on, from its meta and the config that was given.

    A run that began with an older edition of a built-in template goes on with it.

    Raises:
        UsageError: It is another config's run.
    """
    if difference := config.difference(meta["config"]):
        raise UsageError(f"--output holds another run ({difference}); choose another folder")
    begun = {}
    for name, source in _template_sources(config).items():
        used, kept = getattr(config, name), template_source(meta, name)
        begun[name] = as_explored(used, kept)
        if source != kept and begun[name] == used:
            raise UsageError(f"{used} has changed since the run began; restore it")
    student = begun.get("student_template", config.student_template)
    return replace(config, template=begun["template"], student_template=student)


def _template_sources(config: Config) -> dict[str, str]:
    """Return what a run notes of each of its templates."""
    names = ["template", *(["student_template"] if config.student else [])]
    return {name: source_of(getattr(config, name)) for name in names}


def template_source(meta: Mapping[str, Any], name: str) -> str:
    """Return what a run noted of a template: see `engine.templates.source_of`."""
    old = "swift_template" if name == "student_template" else name  # version 0.1
    return str(meta.get(name) or meta.get(old) or "")


def versions() -> dict[str, str]:
    """Return the versions of what decides about a run's trees, for its meta."""
    found = {"python": platform.python_version()}
    for name in ("treegraft", "gymnasium", "openai", "sqlglot"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Keep a second process out of folder `run`; the lock ends with the process, however it ends.

    Raises:
        UsageError: Another process works in it.
    """
    make_folder(run)
    with told(f"cannot write into {run}", run):
        handle = os.open(run / "lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise UsageError(f"another process is exploring into {run}") from None
    try:
        yield
    finally:
        os.close(handle)

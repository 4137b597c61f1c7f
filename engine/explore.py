"""Explore many tasks at once, and keep their trees.

A task whose policy or sandbox fails is a record, not a crash; any other exception is a defect and
stops the run. Exploring again goes on where it stopped: finished tasks are skipped, and the others
are searched again over the journal, so that no reply is paid for twice.
"""

import asyncio
import fcntl
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

import environments
from engine.chat import Chat
from engine.config import Config
from engine.demonstration import NAME as DEMONSTRATION
from engine.demonstration import Demonstration
from engine.errors import UsageError
from engine.store import Store
from engine.teacher import Teacher
from engine.templates import get as get_template
from engine.templates.base import World
from environments import Task, ToolEnv
from sandbox import SandboxError, TreegraftError
from search import Policy, PolicyError, Tree, dfsdt, react
from search.usage import Usage
from search.walk import in_thread


class Progress(Protocol):
    """Is told what happens while a run goes on; the command draws it."""

    def begin(self, total: int, done: int) -> None:
        """`total` tasks were asked for, of which `done` are finished already."""

    def tree(self, tree: Tree) -> None: ...

    def failure(self, task: Task, error: Exception) -> None: ...


class Silent:
    """Tells nobody."""

    def begin(self, total: int, done: int) -> None:
        pass

    def tree(self, tree: Tree) -> None:
        pass

    def failure(self, task: Task, error: Exception) -> None:
        pass


@dataclass(slots=True)
class Summary:
    """What one call of `explore` did, over all the tasks that it was asked for.

    tasks: asked for.  skipped: finished earlier.  solved, unsolved: searched now.
    failed: without a tree.  stopped: cut short by the run's budget.
    """

    tasks: int = 0
    skipped: int = 0
    solved: int = 0
    unsolved: int = 0
    failed: int = 0
    stopped: int = 0
    usage: Usage = field(default_factory=Usage)

    @property
    def complete(self) -> bool:
        """Whether every task has a tree that was searched to its end."""
        return not (self.failed or self.stopped)


async def explore(
    config: Config,
    tasks: Sequence[Task],
    run: Path,
    *,
    chat: Chat | None = None,
    concurrency: int = 8,
    progress: Progress | None = None,
) -> Summary:
    """Search each of `tasks` that has no finished tree in folder `run`, `concurrency` at a time.

    chat: what the teacher asks; None for the demonstration teacher.

    Raises:
        UsageError: the folder holds another run, or another process is at work in it.
    """
    told = progress or Silent()
    with _locked(run), Store.create(run) as store:
        make_env = partial(environments.make, config.env, **config.env_options)
        lead = make_env()
        try:
            _claim(store, config, lead)
            done = store.finished() & {task.id for task in tasks}
            told.begin(len(tasks), len(done))
            summary = Summary(len(tasks), len(done))
            work = iter([task for task in tasks if task.id not in done])
            explorer = _Explorer(config, store, make_env, policy(config, lead, chat), told, summary)
            # One thread for each environment at work, and some to spare.
            pool = ThreadPoolExecutor(concurrency + 4, thread_name_prefix="environment")
            asyncio.get_running_loop().set_default_executor(pool)
            with _one_line():
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(concurrency, len(tasks) - len(done))):
                        group.create_task(explorer.work(work))
            return summary
        finally:
            lead.close()


@contextmanager
def _one_line() -> Iterator[None]:
    """Of a group of errors that a user can mend (a full disk), raise one; defects pass whole."""
    try:
        yield
    except ExceptionGroup as group:
        mendable, defects = group.split(TreegraftError)
        if mendable is None or defects is not None:
            raise
        first: Exception = mendable
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        raise first from group


def policy(config: Config, env: ToolEnv, chat: Chat | None) -> Policy:
    """The policy that `config.teacher` names, for the world of `env`."""
    if config.teacher == DEMONSTRATION:
        return Demonstration(
            env.solution, env.mistakes, mistake_rate=config.mistake_rate, seed=config.seed
        )
    if chat is None:
        raise UsageError(f"--teacher {config.teacher} needs an endpoint")
    template = get_template(config.template)
    return Teacher(chat, template, world(env), config.teacher, config.sampling)


def world(env: ToolEnv) -> World:
    return World(env.instructions, env.tools)


@dataclass(slots=True)
class _Explorer:
    config: Config
    store: Store
    make_env: Callable[[], ToolEnv]
    policy: Policy
    progress: Progress
    summary: Summary

    async def work(self, tasks: Iterator[Task]) -> None:
        """Search tasks one after another, in one environment as long as it lives."""
        env: ToolEnv | None = None
        try:
            for task in tasks:
                try:
                    if env is None:
                        env = await in_thread(self.make_env)
                    self._keep(await self._search(env, task))
                except (SandboxError, PolicyError) as error:
                    self._fail(task, error)
                    if env is not None and isinstance(error, SandboxError):
                        await in_thread(env.close)
                        env = None
        finally:
            if env is not None:
                await in_thread(env.close)

    def _keep(self, tree: Tree) -> None:
        self.store.add_tree(tree)
        self.summary.usage += tree.usage
        if tree.solved:
            self.summary.solved += 1
        elif tree.stopped == "budget":
            self.summary.stopped += 1
        else:
            self.summary.unsolved += 1
        self.progress.tree(tree)

    def _fail(self, task: Task, error: Exception) -> None:
        self.store.add_failure(task, error)
        self.summary.failed += 1
        self.progress.failure(task, error)

    async def _search(self, env: ToolEnv, task: Task) -> Tree:
        limits = self.config.limits
        if self.config.search == "react":
            return await react(env, task, self.policy, limits)
        return await dfsdt(
            env,
            task,
            self.policy,
            limits,
            siblings=self.config.siblings,
            backtrack=self.config.backtrack,
        )


def _claim(store: Store, config: Config, env: ToolEnv) -> None:
    """Make the run this config's, or see that it is.

    Raises:
        UsageError: it is another's; nothing is overwritten.
    """
    stored = store.meta().get("config")
    if stored is not None:
        if difference := config.difference(stored):
            raise UsageError(f"--out holds another run ({difference}); choose another folder")
        return
    told = world(env)
    store.set_meta(
        {
            "config": config.to_dict(),
            "world": {
                "instructions": told.instructions,
                "tools": [[t.name, t.description, dict(t.parameters)] for t in told.tools],
            },
            "versions": _versions(),
        }
    )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("treegraft", "gymnasium", "openai", "sqlglot"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    """Keep a second process out of folder `run`; the lock goes with the process, however it ends.

    Raises:
        UsageError
    """
    run.mkdir(parents=True, exist_ok=True)
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

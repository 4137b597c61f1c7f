"""Explore many tasks at once, and keep their trees.

If a task's policy or sandbox fails, the failure is recorded; any other exception is a defect and
stops the run. A second call continues: finished tasks are skipped, and the others are searched
again over the journal, so that no reply is paid for twice.
"""

import fcntl
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine.config import Config
from engine.errors import UsageError
from engine.executors.base import Executor, make_env
from engine.runs.data_state import note_data
from engine.runs.store import Store
from engine.templates import source_of
from engine.templates.base import world_of
from environments import Task, ToolEnv
from search import Tree
from search.usage import Usage
from treegraft.errors import TreegraftError


class Progress:
    """Receives what happens during a run. This base class shows nothing."""

    def note(self, text: str) -> None:
        """Receive a remark about the run as a whole."""

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
        failed: Tasks without a tree.
        stopped: Tasks cut short by the run's budget.
        usage: What was spent now.
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
        """Whether every task has a tree whose search ended by itself."""
        return not (self.failed or self.stopped)


async def explore(
    config: Config,
    tasks: Sequence[Task],
    run: Path,
    executor: Executor,
    *,
    progress: Progress | None = None,
    data: Mapping[str, str] | None = None,
) -> Summary:
    """Search each of `tasks` that has no finished tree in folder `run`.

    Raises:
        UsageError: The folder holds another run, or another process is working in it.
    """
    progress = progress or Progress()
    with locked(run), Store.create(run) as store:
        lead = make_env(config)
        try:
            claim(store, config, lead)
        finally:
            lead.close()
        for file in note_data(store, data or {}):
            progress.note(
                f"{file} differs from the one that this run explored: its earlier trees are of "
                "another state; choose another --output to search all of its tasks again"
            )
        store.set_meta({"asked": len(tasks)})
        done = store.finished() & {task.id for task in tasks}
        progress.begin(len(tasks), len(done))
        summary = Summary(len(tasks), len(done))
        keeper = _Keeper(store, progress, summary)
        left = [task for task in tasks if task.id not in done]
        if left:
            with _one_line():
                await executor.run(config, iter(left), keeper.keep)
        return summary


@contextmanager
def _one_line() -> Iterator[None]:
    """Raise one error of a group that the user can fix (a full disk); defects pass whole."""
    try:
        yield
    except ExceptionGroup as group:
        fixable, defects = group.split(TreegraftError)
        if fixable is None or defects is not None:
            raise
        first: Exception = fixable
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        raise first from group


@dataclass(slots=True)
class _Keeper:
    store: Store
    progress: Progress
    summary: Summary

    def keep(self, task: Task, found: Tree | TreegraftError) -> None:
        """Store the result of `task` and count it."""
        if isinstance(found, TreegraftError):
            self.store.add_failure(task, found)
            self.summary.failed += 1
            self.progress.failure(task, found)
            return
        self.store.add_tree(found)
        self.summary.usage += found.usage
        if found.solved:
            self.summary.solved += 1
        elif found.stopped == "budget":
            self.summary.stopped += 1
        else:
            self.summary.unsolved += 1
        self.progress.tree(found)


def claim(store: Store, config: Config, env: ToolEnv) -> None:
    """Make the run this config's, or check that it is.

    Raises:
        UsageError: It is another config's; nothing is overwritten.
    """
    meta, sources = store.meta(), {"template": source_of(config.template)}
    if config.student:
        sources["student_template"] = source_of(config.student_template)
    if stored := meta.get("config"):
        if difference := config.difference(stored):
            raise UsageError(f"--output holds another run ({difference}); choose another folder")
        for name, source in sources.items():
            if source != template_source(meta, name):
                changed = getattr(config, name)
                raise UsageError(f"{changed} has changed since the run began; restore it")
        return
    shown = world_of(env)
    store.set_meta(
        {
            "config": config.to_dict(),
            **sources,
            "world": {
                "instructions": shown.instructions,
                "tools": [[t.name, t.description, dict(t.parameters)] for t in shown.tools],
            },
            "versions": _versions(),
        }
    )


def template_source(meta: Mapping[str, Any], name: str) -> str:
    """Return the text of a user's template kept in a run; "" for a built-in one."""
    old = "swift_template" if name == "student_template" else name  # version 0.1
    return str(meta.get(name) or meta.get(old) or "")


def _versions() -> dict[str, str]:
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

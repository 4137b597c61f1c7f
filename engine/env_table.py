"""All registered environments in one table: tasks, extras, how a state branches, at what cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from engine.bench_env import measure
from engine.executors.base import close_env, tasks_of
from environments import ToolEnv, make
from environments.extras import ExtraMissing, require_extra
from environments.registry import ENTRY_POINTS, find_class
from search.faults import blamed
from treegraft.errors import TreegraftError

SPLITS = ("train", "test")
MEASURED = 5
"""Tasks on which the cost of a branch is measured."""


@dataclass(frozen=True, slots=True)
class EnvRow:
    """An environment in the table.

    Attributes:
        tasks: Bundled tasks by split; None where the environment needs data or options.
        extra: The extra that it needs; "" if none.
        installed: Whether the packages of the extra are there.
        branching: How a state is saved.
        branch_ms: Median of a restore and a step; None if it was not measured.
    """

    name: str
    tasks: dict[str, int] | None = None
    extra: str = ""
    installed: bool = True
    branching: str = ""
    branch_ms: float | None = None


def env_rows(*, measured: bool = False) -> Iterator[EnvRow]:
    """Yield the registered environments; with `measured`, play solutions of some tasks."""
    for name in ENTRY_POINTS:
        yield env_row(name, measured=measured)


def env_row(name: str, *, measured: bool = False) -> EnvRow:
    """Return one environment's row."""
    try:
        cls = find_class(name)
    except ExtraMissing as error:
        return EnvRow(name, extra=error.extra, installed=False)
    try:
        require_extra(name, cls)
    except ExtraMissing as error:
        return EnvRow(name, None, error.extra, False, cls.branching)
    counts = {split: _count(name, split) for split in SPLITS}
    tasks = {split: count for split, count in counts.items() if count is not None}
    cost = _branch_ms(name) if measured and tasks else None
    return EnvRow(name, tasks or None, cls.extra, True, cls.branching, cost)


@contextmanager
def _opened(name: str, split: str) -> Iterator[ToolEnv]:
    env = blamed(lambda: make(name, split=split))
    try:
        yield env
    finally:
        close_env(env)


def _count(name: str, split: str) -> int | None:
    """Return the number of bundled tasks; None if there are none."""
    try:
        with _opened(name, split) as env:
            return len(tasks_of(env))
    except TreegraftError:
        return None


def _branch_ms(name: str) -> float | None:
    try:
        with _opened(name, SPLITS[0]) as env:
            found = blamed(lambda: measure(env, tasks_of(env)[:MEASURED])).to_dict()
    except TreegraftError:
        return None
    return float(found["branch"]["median_ms"]) if "branch" in found else None

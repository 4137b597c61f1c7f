"""The tasks of a run of rounds: which are searched and which measure, and who solved which."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
from engine.chat.prices import known_usd
from engine.errors import UsageError
from engine.runs.attribution import solved_by_student
from engine.runs.quarantine import left_out
from engine.runs.store import Store
from engine.runs.tasks import read_ids, select
from environments.errors import UnknownEnvironment
from environments.types import Task
from search.tree import Tree
from search.usage import Usage
from treegraft.rounds.held_out import HeldOut, check_tasks, held_out
from treegraft.rounds.settings import TaskSettings
from treegraft.write_files import write_text


@dataclass(frozen=True, slots=True)
class ChosenTasks:
    """The tasks of both sides.

    Attributes:
        train: Ids of the tasks to search, in order.
        measured: Ids of the held-out tasks.
        known: What `held_out.check_rows` compares rows with.
    """

    train: list[str]
    measured: list[str]
    known: HeldOut


def choose(settings: TaskSettings) -> ChosenTasks:
    """Choose the tasks of both sides, and check that they have nothing in common.

    Raises:
        LeakedTask: They have.
        TreegraftError: There are no such tasks.
    """
    train = _tasks(
        settings, settings.data, settings.train, settings.train_tasks, settings.train_limit
    )
    measured = _tasks(
        settings,
        settings.held_out_data or settings.data,
        settings.held_out,
        settings.held_out_tasks,
        settings.held_out_limit,
    )
    known = held_out(
        measured, train, groups=settings.shared_groups, questions=settings.shared_questions
    )
    check_tasks(known, train)
    return ChosenTasks([task.id for task in train], [task.id for task in measured], known)


def _tasks(
    settings: TaskSettings, data: str | None, split: str | None, only: str, limit: int | None
) -> list[Task]:
    """Return the tasks that `engine explore` would take: without those in quarantine."""
    options = {"data": data, "split": split, "sandbox": settings.sandbox, **settings.env_args}
    try:
        env = environments.make(settings.env, **options)
    except UnknownEnvironment as error:
        raise UsageError(f"[tasks] {error}") from None
    try:
        unsound = left_out(settings.env, data, env.tasks).reasons
        return select(env.tasks, only=read_ids(only), limit=limit, quarantined=unsound)
    finally:
        env.close()


def write_ids(file: Path, ids: Sequence[str]) -> None:
    """Write task ids, one per line, for `--tasks @FILE`."""
    write_text(file, "".join(f"{id}\n" for id in ids))


def outcome(run: Path, ids: Iterable[str], searcher: str) -> dict[str, Any]:
    """Return what a search of tasks `ids` in folder `run` achieved.

    Args:
        run: An explored run.
        ids: Tasks that were to be searched.
        searcher: "teacher", "student" or "both".

    Returns:
        "student" and "teacher": ids solved by the student alone, and those where every success has
        a step of the teacher. "failed": number of tasks without a tree; "why": the reason of the
        first of them. "teacher_calls": those of "calls" that were not the student's.

    Raises:
        UsageError: There is no run.
    """
    wanted = set(ids)
    solved: dict[str, list[str]] = {"student": [], "teacher": []}
    used, teacher_calls = Usage(), 0
    with Store.open(run) as store:
        found = [id for id in store.task_ids() if id in wanted]
        failures, unpriced = store.failures(), bool(store.meta().get("unpriced"))
        for id in found:
            tree = store.tree(id)
            used += tree.usage
            teacher_calls += 0 if searcher == "student" else _teacher_calls(tree)
            if tree.solved:
                alone = searcher == "student" or (searcher == "both" and solved_by_student(tree))
                solved["student" if alone else "teacher"].append(id)
    failed = sorted(wanted - set(found))
    why = "; ".join(failures[id][1] for id in failed[:1] if id in failures)
    return {
        "tasks": len(wanted),
        **solved,
        "failed": len(failed),
        "why": why,
        "calls": used.calls,
        "teacher_calls": teacher_calls,
        "tokens": used.tokens,
        "usd": known_usd(used, unpriced),
    }


def _teacher_calls(tree: Tree) -> int:
    """Return the number of requests to the teacher and to a judge."""
    return sum(call.usage.calls for call in tree.calls if call.kind != "student")

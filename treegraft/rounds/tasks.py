"""The tasks of a run of rounds: which there are, and who solved which."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import environments
from engine.runs.atomic import write_text
from engine.runs.attribution import solved_by_student
from engine.runs.store import Store
from engine.runs.tasks import quarantined, read_ids, select
from environments.types import Task
from search.tree import Tree
from search.usage import Usage
from treegraft.rounds.held_out import HeldOut, check_tasks, held_out
from treegraft.rounds.settings import Tasks
from treegraft.rounds.state import Result

Who = Literal["teacher", "student", "both"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a run takes.   train: ids of tasks to search, in order.   measured: ids of held-out
    tasks.   known: for `held_out.check_rows`."""

    train: list[str]
    measured: list[str]
    known: HeldOut


def choose(wanted: Tasks) -> Chosen:
    """Both sides, once it is seen that they have nothing in common.

    Raises:
        LeakedTask: they do.
        TreegraftError: there are no such tasks.
    """
    train = _tasks(wanted, wanted.data, wanted.train, wanted.train_tasks, wanted.train_limit)
    measured = _tasks(
        wanted,
        wanted.held_out_data or wanted.data,
        wanted.held_out,
        wanted.held_out_tasks,
        wanted.held_out_limit,
    )
    known = held_out(
        measured, train, groups=wanted.shared_groups, questions=wanted.shared_questions
    )
    check_tasks(known, train)
    return Chosen([task.id for task in train], [task.id for task in measured], known)


def _tasks(
    wanted: Tasks, data: str | None, split: str | None, only: str, limit: int | None
) -> list[Task]:
    """As `engine explore` takes them: without those that its quarantine names."""
    bad, _ = quarantined(wanted.env, split, data)
    options = {"data": data, "split": split, "sandbox": wanted.sandbox, **wanted.options}
    env = environments.make(wanted.env, **options)
    try:
        return select(env.tasks, only=read_ids(only), limit=limit, quarantined=bad)
    finally:
        env.close()


def write_ids(file: Path, ids: Sequence[str]) -> None:
    """For --tasks @FILE."""
    write_text(file, "".join(f"{id}\n" for id in ids))


def outcome(run: Path, ids: Iterable[str], who: Who) -> Result:
    """What came of searching tasks `ids` in folder `run`.

    student, teacher: ids solved, by the student alone, or with a step of the teacher's in every
    success.   failed: tasks without a tree, and why the first of them has none.
    teacher_calls: of `calls`, those that were not the student's.

    Raises:
        UsageError: there is no run.
    """
    asked = set(ids)
    solved: dict[str, list[str]] = {"student": [], "teacher": []}
    used, taught = Usage(), 0
    with Store.open(run) as store:
        found = [id for id in store.task_ids() if id in asked]
        failures = store.failures()
        for id in found:
            tree = store.tree(id)
            used += tree.usage
            taught += 0 if who == "student" else _taught(tree)
            if tree.solved:
                alone = who == "student" or (who == "both" and solved_by_student(tree))
                solved["student" if alone else "teacher"].append(id)
    lost = sorted(asked - set(found))
    why = "; ".join(dict.fromkeys(failures[id][1] for id in lost[:1] if id in failures))
    counts: dict[str, Any] = {"tasks": len(asked), **solved, "failed": len(lost), "why": why}
    cost = {"calls": used.calls, "teacher_calls": taught, "tokens": used.tokens, "usd": used.usd}
    return counts | cost


def _taught(tree: Tree) -> int:
    """Requests that the teacher, or a judge, was paid for."""
    return sum(call.usage.calls for call in tree.calls if call.kind != "student")

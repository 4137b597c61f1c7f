"""Held-out tasks never enter a round: tasks are compared before anything is searched, and rows
before anything is trained, whatever made them.

A task is the same by its id, by the words of its question, or by its group (a database, a product:
what is learnt of one task of it helps with the next). Letter case, blanks and punctuation do not
count.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.runs.fingerprints import strings_in
from environments.types import Task
from treegraft.rounds.errors import LeakedTask

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What measures.

    split: of all of the tasks, where no task to train on is of it; else "".
    groups, questions: the id of a task by its group, and by its question in the form of `lines`;
        empty where these may be shared.
    endings: the questions of `questions` by their last line.
    """

    ids: frozenset[str]
    split: str
    groups: Mapping[str, str]
    questions: Mapping[str, str]
    endings: Mapping[str, Sequence[str]]


def held_out(
    tasks: Sequence[Task], trained: Sequence[Task], *, groups: bool, questions: bool
) -> HeldOut:
    """groups, questions: whether these may be shared by tasks that are trained on."""
    splits = {task.split for task in tasks}
    alone = len(splits) == 1 and not splits & {task.split for task in trained}
    asked = {} if questions else {lines(task.prompt): task.id for task in tasks}
    endings: dict[str, list[str]] = {}
    for question in asked:
        if question:
            endings.setdefault(question.rpartition("\n")[2], []).append(question)
    by_group = {} if groups else {task.group: task.id for task in tasks if task.group}
    split = splits.pop() if alone else ""
    return HeldOut(frozenset(task.id for task in tasks), split, by_group, asked, endings)


def check_tasks(known: HeldOut, tasks: Iterable[Task]) -> None:
    """See that no task to be searched measures as well.

    Raises:
        LeakedTask
    """
    for task in tasks:
        why = _same(known, task.id, task.group, known.questions.get(lines(task.prompt), ""))
        if why:
            raise LeakedTask(f"{task.id}, a task to train on, {why}")


def check_rows(known: HeldOut, file: Path) -> None:
    """See that no row of `file`, JSON lines of either kind, shows the student what measures it.

    Raises:
        LeakedTask: naming the file and the line; a line that cannot be read is not passed over.
    """
    for number, row in _rows(file):
        split = str(row.get("split") or "")
        id = _task_id(row)
        asked = next(_asked(known, row), "")
        why = _same(known, id, str(row.get("group") or ""), asked)
        if not id:
            why = "has no id that names its task, so nobody can tell whether it is held out"
        if not why and known.split and split == known.split:
            why = f"is of the held-out split {split!r}"
        if why:
            raise LeakedTask(f"{file}: line {number} {why}; nothing is trained")


def lines(text: str) -> str:
    """The words of each line that has any, in lower case."""
    found = (" ".join(_WORD.findall(line)) for line in text.casefold().splitlines())
    return "\n".join(line for line in found if line)


def _same(known: HeldOut, id: str, group: str, asked: str) -> str:
    """Why a task or a row is held out, as the end of a sentence; "" where it is not."""
    if id in known.ids:
        return f"is the held-out task {id}"
    if group in known.groups:
        return (
            f"is of group {group!r}, as the held-out task {known.groups[group]} is; split by group,"
            " or allow it by tasks.shared_groups = true"
        )
    if asked:
        return (
            f"asks what the held-out task {asked} asks; leave one of them out, or allow it by "
            "tasks.shared_questions = true"
        )
    return ""


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with file.open(encoding="utf-8") as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise LeakedTask(f"{file}: line {number} is no row: {error}") from error
            if not isinstance(row, dict):
                raise LeakedTask(f"{file}: line {number} is no row")
            yield number, row


def _task_id(row: Mapping[str, Any]) -> str:
    """Of "run/task/leaf"; a task's id may hold a slash too."""
    _, _, rest = str(row.get("id") or "").partition("/")
    return rest.rpartition("/")[0]


def _asked(known: HeldOut, row: Mapping[str, Any]) -> Iterator[str]:
    """Held-out tasks whose question stands in what the agent reads before it first acts: whole
    lines, but for what a template writes before the question on its line."""
    opening = []
    for message in row.get("prompt") or row.get("messages") or []:
        if message.get("role") == "assistant":
            break
        opening.append("\n".join(strings_in(message.get("content") or "")))
    text = lines("\n".join(opening))
    end = -1
    while end < len(text):
        start, end = end + 1, text.find("\n", end + 1)
        end = end if end >= 0 else len(text)
        words = text[start:end].split(" ")
        for first in range(len(words)):
            for question in known.endings.get(" ".join(words[first:]), ()):
                before = text[: end - len(question)]
                if text[:end].endswith(question) and (not before or before[-1] in " \n"):
                    yield known.questions[question]

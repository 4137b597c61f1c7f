"""Keep held-out tasks out of the training data.

Tasks are compared before anything is searched, and rows before anything is trained, whoever wrote
them. Two tasks are the same if they have the same id, the same question in words, or the same group
(a database, a product: what is learned from one task of it helps with the next). Letter case,
whitespace and punctuation do not count. Rows are also searched for parts of the questions, as
`trainer sft` does (`trainer.data.contamination`).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.runs.fingerprints import strings_in
from engine.templates.base import Message
from environments.types import Task
from trainer.data import bundled_splits, contamination
from treegraft.text_files import read_lines

_WORD = re.compile(r"\w+")


class LeakedTask(UsageError):
    """A held-out task is among the training data; nothing is trained."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """By what the held-out tasks are recognised.

    Attributes:
        ids: Their ids.
        split: Their split; "" if they have several, or if tasks to train on are of it, too.
        groups: Id of a task by group; empty if groups may be shared.
        questions: Id of a task by question, in the form of `normalized`; empty if questions may be
            shared.
        endings: The same questions by their last line.
        similar: Finds parts of the same questions.
    """

    ids: frozenset[str]
    split: str
    groups: Mapping[str, str]
    questions: Mapping[str, str]
    endings: Mapping[str, Sequence[str]]
    similar: contamination.HeldOut


def held_out(
    tasks: Sequence[Task], trained: Sequence[Task], *, groups: bool, questions: bool
) -> HeldOut:
    """Return how to recognise the held-out tasks.

    Args:
        tasks: The held-out tasks.
        trained: The tasks to train on.
        groups: Whether both sides may share groups.
        questions: Whether both sides may share questions.
    """
    splits = {task.split for task in tasks}
    alone = len(splits) == 1 and not splits & {task.split for task in trained}
    asked = {} if questions else {normalized(task.prompt): task.id for task in tasks}
    endings: dict[str, list[str]] = {}
    for question in asked:
        if question:
            endings.setdefault(question.rpartition("\n")[2], []).append(question)
    by_group = {} if groups else {task.group: task.id for task in tasks if task.group}
    split = splits.pop() if alone else ""
    similar = contamination.HeldOut(
        [
            bundled_splits.Source(
                "the held-out tasks",
                [bundled_splits.HeldOutTask(id, prompt) for prompt, id in asked.items()],
                [task.prompt for task in trained],
            )
        ]
    )
    return HeldOut(frozenset(task.id for task in tasks), split, by_group, asked, endings, similar)


def check_tasks(known: HeldOut, tasks: Iterable[Task]) -> None:
    """Check that no task to search is a held-out task.

    Raises:
        LeakedTask: One is.
    """
    for task in tasks:
        why = _same(known, task.id, task.group, known.questions.get(normalized(task.prompt), ""))
        if why:
            raise LeakedTask(f"{task.id}, a task to train on, {why}")


def check_rows(known: HeldOut, file: Path) -> None:
    """Check that no row of `file`, SFT rows or DPO pairs, shows the student a held-out task.

    Raises:
        LeakedTask: One does, or a line cannot be read; the message names the file and the line.
    """
    rows = list(_rows(file))
    similar = known.similar.find(contamination.TrainingRow(n, "", _opening(r)) for n, r in rows)
    for place, (number, row) in enumerate(rows):
        split = str(row.get("split") or "")
        id = _task_id(row)
        asked = next(_asked(known, row), "")
        why = _same(known, id, str(row.get("group") or ""), asked)
        if not id:
            why = "has no id that names its task, so it may be a held-out one"
        if not why and known.split and split == known.split:
            why = f"is of the held-out split {split!r}"
        if not why and (found := similar.get(place)):
            why = (
                f"has {found.how}, as {found.task} has; leave one of them out, or allow it by "
                "tasks.shared_questions = true"
            )
        if why:
            raise LeakedTask(f"{file}: line {number} {why}; nothing is trained")


def normalized(text: str) -> str:
    """Return the words of each line that has any, in lower case."""
    found = (" ".join(_WORD.findall(line)) for line in text.casefold().splitlines())
    return "\n".join(line for line in found if line)


def _same(known: HeldOut, id: str, group: str, asked: str) -> str:
    """Return why a task or a row is held out, as the end of a message; "" if it is not."""
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
    for number, line in enumerate(read_lines(file), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise LeakedTask(f"{file}: line {number} is not a row: {error}") from error
        if not isinstance(row, dict):
            raise LeakedTask(f"{file}: line {number} is not a row")
        yield number, row


def _task_id(row: Mapping[str, Any]) -> str:
    """Return the task in "run/task/leaf"; the id of a task may hold slashes."""
    _, _, rest = str(row.get("id") or "").partition("/")
    return rest.rpartition("/")[0]


def _opening(row: Mapping[str, Any]) -> list[Message]:
    """Return what the agent reads before it first acts."""
    messages = row.get("prompt") or row.get("messages") or []
    before = takewhile(lambda message: message.get("role") != "assistant", messages)
    return [{"role": m.get("role"), "content": m.get("content") or ""} for m in before]


def _asked(known: HeldOut, row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the held-out tasks whose question the agent reads before it first acts.

    Whole lines are compared, except for what a template writes before the question on its line.
    """
    opening = ("\n".join(strings_in(message["content"])) for message in _opening(row))
    text = normalized("\n".join(opening))
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

"""The page as one file that works without a network."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from engine.errors import UsageError
from engine.runs.annotations import marks_file, read_marks
from engine.runs.atomic import whole
from engine.view.html import head, tail, tree_block
from engine.view.reader import Source


@dataclass(frozen=True, slots=True)
class Written:
    """What came of it.   tasks: in the page.   bytes: of the file."""

    file: Path
    tasks: int
    bytes: int


def write(
    run: Path, file: Path, source: Source, only: Sequence[str] = (), limit: int | None = None
) -> Written:
    """Write the page of the run in folder `run` to `file`, whole or not at all.

    only, limit: as `Source.choose` takes them; tasks that failed are listed where neither is given.

    Raises:
        UsageError: a task has no tree, a mark cannot be read, or the file cannot be written.
        LeakError: a tree shows its task's secret.
    """
    tasks = source.choose(only, limit)
    failures = {} if only or limit else source.failures()
    marks = [mark.to_dict() for mark in read_marks(marks_file(run))]
    with _page(file) as page:
        page.write(head(source.about["name"], live=False))
        summaries = []
        for number, task_id in enumerate(tasks):
            reading = source.read(task_id)
            page.write(tree_block(number, reading.detail))
            also = {"why": failures.pop(task_id)["why"]} if task_id in failures else {}
            summaries.append(reading.summary | {"tree": number} | also)
        summaries += failures.values()
        page.write(tail({"about": source.about, "tasks": summaries, "marks": marks}))
    return Written(file, len(summaries), file.stat().st_size)


@contextmanager
def _page(file: Path) -> Iterator[TextIO]:
    try:
        with whole(file) as part, part.open("w", encoding="utf-8") as page:
            yield page
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error

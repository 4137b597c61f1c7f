"""An index over several runs: a line per run, and the tasks that one gained and lost."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from engine.export.pairs import PairKind
from engine.runs.annotations import annotations_file
from engine.runs.store import FILE
from engine.view.data import Json
from engine.view.html import page_end, page_start
from engine.view.reader import RunReader
from engine.view.static import WrittenPage, write_page
from treegraft.write_files import atomic_write

_SUMS = ("nodes", "calls", "tokens", "usd")
_TASK_SHOWN = ("id", "prompt", "status", "reward")


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Return the runs that `paths` name: a folder without a run stands for the runs in it.

    Raises:
        UsageError: a folder holds no run.
    """
    found: dict[Path, None] = {}
    for path in paths:
        found.update(dict.fromkeys(_runs_in(path)))
    return list(found)


def _runs_in(path: Path) -> Iterator[Path]:
    inside = sorted(file.parent for file in path.glob(f"*/{FILE}")) if path.is_dir() else []
    if (path / FILE).exists() or not inside:
        yield path  # what is no run is refused when it is opened
    else:
        yield from inside


def index_file(paths: Sequence[Path]) -> Path:
    """Return where the index goes by default: into the folder of runs, or beside the first run."""
    folder = paths[0] if len(paths) == 1 else paths[0].parent
    return folder / "index.html"


def write_index(
    runs: Sequence[Path], file: Path, pairs: PairKind = "step", limit: int | None = None
) -> WrittenPage:
    """Write the page of each of `runs` beside it, and an index of them all to `file`.

    Raises:
        UsageError: a run does not exist or has not begun, or a file cannot be written.
        LeakError: a tree shows its task's secret.
    """
    above = Path(os.path.commonpath([run.resolve().parent for run in runs]))
    lines = [_line(run, file, above, pairs, limit) for run in runs]
    with atomic_write(file) as part, part.open("w", encoding="utf-8", errors="replace") as page:
        page.write(
            page_start("Runs", live=False, page="index") + page_end({"runs": lines}, "index")
        )
        size = page.tell()
    return WrittenPage(file, sum(len(line["tasks"]) for line in lines), size)


def _line(run: Path, index: Path, above: Path, pairs: PairKind, limit: int | None) -> Json:
    """Write the page of `run`; return what the index shows of it."""
    with RunReader.open(run, pairs) as reader:
        page = write_page(run, annotations_file(run).with_name("view.html"), reader, (), limit)
    link = os.path.relpath(page.file.resolve(), index.resolve().parent)
    tasks = page.summaries
    return {
        "name": os.path.relpath(run.resolve(), above),
        "link": f"./{quote(link)}",
        "config": reader.about["config"],
        "unpriced": reader.about["unpriced"],
        **{key: sum(task.get(key, 0) for task in tasks) for key in _SUMS},
        "tasks": [{key: task.get(key) for key in _TASK_SHOWN} for task in tasks],
    }

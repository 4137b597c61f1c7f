"""Select the tasks of a run."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from engine.errors import UsageError
from environments.types import Task
from treegraft.file_errors import FileError
from treegraft.text_files import read_lines


def select(
    tasks: Sequence[Task],
    *,
    only: Sequence[str] = (),
    limit: int | None = None,
    quarantined: Collection[str] = (),
) -> list[Task]:
    """Return the tasks called `only` (empty for all) without the quarantined, at most `limit`.

    Raises:
        UsageError: A task in `only` does not exist, or none is left.
    """
    known = {task.id: task for task in tasks}
    if len(known) < len(tasks):
        (twice, _), *_ = Counter(task.id for task in tasks).most_common(1)
        raise UsageError(f"the data holds two tasks with the same id, {twice!r}")
    missing = [id for id in only if id not in known]
    if missing:
        raise UsageError(f"no task {missing[0]!r}; ids look like {next(iter(known), '')!r}")
    chosen = [known[id] for id in only] if only else list(tasks)
    chosen = [task for task in chosen if task.id not in quarantined][:limit]
    if not chosen:
        raise UsageError("no task is left to explore; see --limit, --tasks and --quarantine")
    return chosen


def read_ids(spec: str) -> list[str]:
    """Return the task ids in "a,b,c", or in the file @FILE, which holds one per line.

    Raises:
        UsageError: The file cannot be read, or holds none.
    """
    if not spec.startswith("@"):
        return [id.strip() for id in spec.split(",") if id.strip()]
    try:
        ids = [line.strip() for line in read_lines(Path(spec[1:])) if line.strip()]
    except FileError as error:
        raise UsageError(f"--tasks {spec}: {error}") from error
    if not ids:
        raise UsageError(f"--tasks {spec}: the file holds no task id")
    return ids

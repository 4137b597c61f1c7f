"""Select the tasks of a run."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from engine.errors import UsageError
from environments.types import Task


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
        UsageError: The file cannot be read.
    """
    if not spec.startswith("@"):
        return [id.strip() for id in spec.split(",") if id.strip()]
    try:
        lines = Path(spec[1:]).read_text("utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"cannot read --tasks {spec}: {error}") from error
    return [line.strip() for line in lines if line.strip()]


def quarantine_file(env: str, split: str | None) -> Path:
    """Return the default file that `validate` writes and `explore` reads."""
    name = "".join(c if c.isalnum() else "-" for c in f"{env}-{split or 'default'}")
    return Path("runs") / f"quarantine-{name}.json"


def quarantined(
    env: str, split: str | None, data: str | None, file: Path | None = None
) -> tuple[dict[str, str], Path | None]:
    """Return the tasks to leave out with reasons, and the file that lists them, if any.

    Raises:
        UsageError: See `read_quarantine`.
    """
    usual = quarantine_file(env, split)
    file = file or (usual if usual.exists() else None)
    return (read_quarantine(file, data) if file else {}), file


def read_quarantine(file: Path, data: str | None) -> dict[str, str]:
    """Return reasons by task id from a file that `engine validate` wrote.

    The result is empty if the file was written for other data.

    Raises:
        UsageError: It is not such a file.
    """
    try:
        content = json.loads(file.read_text("utf-8"))
        tasks = {str(id): str(reason) for id, reason in content["tasks"].items()}
        meant_for = content["data"]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise UsageError(
            f"{file} is not a quarantine file ({error}); `engine validate` writes one"
        ) from error
    return tasks if meant_for == same_data(data) else {}


def same_data(data: str | None) -> str:
    """Return the absolute path of a data folder; "" for the bundled tasks."""
    return str(Path(data).resolve()) if data else ""

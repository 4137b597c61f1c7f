"""Which tasks of a data set a run takes."""

import json
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
    """The tasks called `only` (all if empty) that are not quarantined, at most `limit`, in order.

    Raises:
        UsageError: a task in `only` does not exist, or none is left.
    """
    known = {task.id: task for task in tasks}
    if len(known) < len(tasks):
        raise UsageError("the data holds two tasks with the same id")
    missing = [id for id in only if id not in known]
    if missing:
        raise UsageError(f"no task {missing[0]!r}; ids look like {next(iter(known), '')!r}")
    chosen = [known[id] for id in only] if only else list(tasks)
    chosen = [task for task in chosen if task.id not in quarantined][:limit]
    if not chosen:
        raise UsageError("no task is left to explore; see --limit, --tasks and --quarantine")
    return chosen


def read_ids(spec: str) -> list[str]:
    """Task ids from "a,b,c", or from a file of one id a line, named as @FILE.

    Raises:
        UsageError: the file cannot be read.
    """
    if not spec.startswith("@"):
        return [id.strip() for id in spec.split(",") if id.strip()]
    try:
        lines = Path(spec[1:]).read_text("utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"cannot read --tasks {spec}: {error}") from error
    return [line.strip() for line in lines if line.strip()]


def quarantine_file(env: str, split: str | None) -> Path:
    """Where `validate` writes and `explore` looks, unless told otherwise."""
    name = "".join(c if c.isalnum() else "-" for c in f"{env}-{split or 'default'}")
    return Path("runs") / f"quarantine-{name}.json"


def quarantined(
    env: str, split: str | None, data: str | None, file: Path | None = None
) -> tuple[dict[str, str], Path | None]:
    """Which tasks to leave out, by id, and the file that says so: `file`, else the usual one.

    Raises:
        UsageError: as `read_quarantine`.
    """
    usual = quarantine_file(env, split)
    file = file or (usual if usual.exists() else None)
    return (read_quarantine(file, data) if file else {}), file


def read_quarantine(file: Path, data: str | None) -> dict[str, str]:
    """Reasons by task id from a file that `engine validate` wrote for the same `data`.

    A file for other data concerns no task here, and is passed over.

    Raises:
        UsageError: it is not such a file.
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
    """One spelling for each data folder; "" for the bundled tasks."""
    return str(Path(data).resolve()) if data else ""

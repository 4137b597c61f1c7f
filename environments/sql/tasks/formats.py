"""Tasks in the layouts of BIRD (arXiv:2305.03111) and Spider (arXiv:1809.08887)."""

from pathlib import Path
from typing import Any

from environments.errors import DataError
from environments.records import check_unique_ids
from environments.sql.tasks.records import (
    existing_database,
    optional_text,
    pick_split,
    read_records,
    text_field,
)
from environments.types import Task

BUNDLED = Path(__file__).parents[1] / "data"
"""The bundled tasks, in BIRD's layout."""

SPIDER_SPLITS = {
    "train": ("train_spider.json", "train_others.json"),
    "dev": ("dev.json",),
    "test": ("test.json",),
}
"""Each split needs its first file; the others are read if they exist."""


def data_folder(data: str | None) -> Path:
    """Return the folder of the tasks, by default ours; raise `DataError` if it is missing."""
    folder = BUNDLED if data is None else Path(data).resolve()
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of task data")
    return folder


def bird_tasks(folder: Path, split: str | None) -> list[Task]:
    """Read `<split>.json` with `<split>_databases/<db>/<db>.sqlite`, or the only `*_databases`.

    `question_id` and `difficulty` may be missing, as in BIRD's train.json.

    Raises:
        DataError: the message names the file and the record.
    """
    # BIRD keeps dev_tables.json and the like beside dev.json: they describe schemas.
    splits = sorted(p.stem for p in folder.glob("*.json") if not p.stem.endswith("_tables"))
    chosen = pick_split(folder, split, splits)
    path = folder / f"{chosen}.json"
    databases = bird_databases(folder, chosen)
    tasks = [
        _bird_task(path, index, record, databases)
        for index, record in enumerate(read_records(path))
    ]
    return check_unique_ids(path, tasks, "question_id")


def bird_databases(folder: Path, split: str) -> Path:
    """Return the folder of a split's databases: its own, or the only one there is."""
    own = folder / f"{split}_databases"
    if own.is_dir():
        return own
    found = sorted(path for path in folder.glob("*_databases") if path.is_dir())
    if len(found) != 1:
        there = ", ".join(path.name for path in found) or "none"
        raise DataError(f"{own}: no such folder; other folders of databases there: {there}")
    return found[0]


def _bird_task(path: Path, index: int, record: dict[str, Any], databases: Path) -> Task:
    group = text_field(path, index, record, "db_id")
    question = text_field(path, index, record, "question").strip()
    evidence = optional_text(path, index, record, "evidence").strip()
    hint = f"\nHint: {evidence}" if evidence else ""
    database = databases / group / f"{group}.sqlite"
    difficulty = optional_text(path, index, record, "difficulty")
    return Task(
        id=f"bird-{path.stem}-{record.get('question_id', index)}",
        prompt=f"{question}{hint}\nDatabase: {group}",
        secret={"sql": text_field(path, index, record, "SQL")},
        details={"database": existing_database(path, index, database)},
        tags={"difficulty": difficulty} if difficulty else {},
        group=group,
        split=path.stem,
    )


def spider_tasks(folder: Path, split: str | None) -> list[Task]:
    """Read `dev.json` or `train_spider.json` (+ `train_others.json`), with `database/<db>/`.

    Raises:
        DataError: the message names the file and the record.
    """
    splits = [name for name, files in SPIDER_SPLITS.items() if (folder / files[0]).is_file()]
    chosen = pick_split(folder, split, splits)
    databases = folder / "database"
    if chosen == "test" and (folder / "test_database").is_dir():
        databases = folder / "test_database"
    tasks: list[Task] = []
    for path in (folder / name for name in SPIDER_SPLITS[chosen]):
        if tasks and not path.is_file():
            continue
        for index, record in enumerate(read_records(path)):
            task_id = f"spider-{chosen}-{len(tasks):04d}"
            tasks.append(_spider_task(path, index, record, (chosen, task_id, databases)))
    return tasks


def _spider_task(
    path: Path, index: int, record: dict[str, Any], place: tuple[str, str, Path]
) -> Task:
    split, task_id, databases = place
    group = text_field(path, index, record, "db_id")
    question = text_field(path, index, record, "question").strip()
    database = databases / group / f"{group}.sqlite"
    return Task(
        id=task_id,
        prompt=f"{question}\nDatabase: {group}",
        secret={"sql": text_field(path, index, record, "query")},
        details={"database": existing_database(path, index, database)},
        group=group,
        split=split,
    )

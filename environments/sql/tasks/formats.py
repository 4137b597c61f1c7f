"""Tasks in the layouts of BIRD (arXiv:2305.03111) and Spider (arXiv:1809.08887)."""

from dataclasses import replace
from pathlib import Path

from environments.errors import DataError
from environments.records import Record, check_unique_ids, read_list
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
    path = bird_file(folder, split)
    databases = bird_databases(folder, path.stem)
    tasks = [
        replace(bird_task("bird", path, record, databases), secret={"sql": record.text("SQL")})
        for record in read_list(path)
    ]
    return check_unique_ids(path, tasks, "question_id")


def bird_file(folder: Path, split: str | None) -> Path:
    """Return the file of a split, by default "train", or the only one there is."""
    # BIRD keeps dev_tables.json and the like beside dev.json: they describe schemas.
    splits = sorted(p.stem for p in folder.glob("*.json") if not p.stem.endswith("_tables"))
    return folder / f"{_pick_split(folder, split, splits)}.json"


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


def bird_task(kind: str, path: Path, record: Record, databases: Path | None) -> Task:
    """Return the task of a record in BIRD's layout, without its secret.

    databases: folder of the SQLite files; None if `db_id` names a database of a server.
    """
    group = record.text("db_id")
    question = record.text("question").strip()
    evidence = record.maybe("evidence").strip()
    hint = f"\nHint: {evidence}" if evidence else ""
    difficulty = record.maybe("difficulty")
    return Task(
        id=f"{kind}-{path.stem}-{record.fields.get('question_id', record.index)}",
        prompt=f"{question}{hint}\nDatabase: {group}",
        details={"database": _existing_database(record, databases) if databases else group},
        tags={"difficulty": difficulty} if difficulty else {},
        group=group,
        split=path.stem,
    )


def database_files(folder: Path) -> list[Path]:
    """Return the databases in a folder of tasks, of all splits, where BIRD and Spider have them."""
    places = [*folder.glob("*_databases"), folder / "database", folder / "test_database"]
    return sorted(file for place in places for file in place.glob("*/*.sqlite"))


def _existing_database(record: Record, folder: Path) -> str:
    """Return the path of a record's database; raise DataError if there is no such file."""
    group = record.text("db_id")
    database = folder / group / f"{group}.sqlite"
    if not database.is_file():
        raise DataError(f"{record.place}: no database {database}")
    return str(database)


def spider_tasks(folder: Path, split: str | None) -> list[Task]:
    """Read `dev.json` or `train_spider.json` (+ `train_others.json`), with `database/<db>/`.

    Raises:
        DataError: the message names the file and the record.
    """
    splits = [name for name, files in SPIDER_SPLITS.items() if (folder / files[0]).is_file()]
    chosen = _pick_split(folder, split, splits)
    databases = folder / "database"
    if chosen == "test" and (folder / "test_database").is_dir():
        databases = folder / "test_database"
    tasks: list[Task] = []
    for path in (folder / name for name in SPIDER_SPLITS[chosen]):
        if tasks and not path.is_file():
            continue
        for record in read_list(path):
            group = record.text("db_id")
            task = Task(
                id=f"spider-{chosen}-{len(tasks):04d}",
                prompt=f"{record.text('question').strip()}\nDatabase: {group}",
                secret={"sql": record.text("query")},
                details={"database": _existing_database(record, databases)},
                group=group,
                split=chosen,
            )
            tasks.append(task)
    return tasks


def _pick_split(folder: Path, wanted: str | None, splits: list[str]) -> str:
    """Return the split to read: `wanted`, or "train", or the only one there is."""
    there = ", ".join(splits) or "none"
    if wanted is not None and wanted not in splits:
        raise DataError(f"{folder}: no split {wanted!r}; the splits there: {there}")
    if wanted is not None:
        return wanted
    if "train" in splits:
        return "train"
    if len(splits) != 1:
        raise DataError(f"{folder}: no split 'train'; choose one with --split: {there}")
    return splits[0]

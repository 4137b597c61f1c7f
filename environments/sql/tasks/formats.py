"""Tasks in the layouts of BIRD (arXiv:2305.03111) and Spider (arXiv:1809.08887)."""

from dataclasses import replace
from pathlib import Path

from environments.errors import DataError
from environments.records import BadRecord, Faults, Record, make_tasks, read_list
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


def bird_tasks(folder: Path, split: str | None, *, strict: bool = False) -> list[Task]:
    """Read `<split>.json` with `<split>_databases/<db>/<db>.sqlite`, or the only `*_databases`.

    `question_id` and `difficulty` may be missing, as in BIRD's train.json. A record that makes no
    task is told and left out, unless `strict`.

    Raises:
        DataError: the message names the file and the record.
    """
    path, faults = bird_file(folder, split), Faults(strict)
    databases = bird_databases(folder, path.stem)

    def make(record: Record) -> Task:
        task = bird_task("bird", path, record, databases, faults)
        return replace(task, secret={"sql": record.text("SQL")})

    tasks = make_tasks(read_list(path, faults), make, faults)
    faults.report()
    return tasks


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


def bird_task(
    kind: str, path: Path, record: Record, databases: Path | None, faults: Faults
) -> Task:
    """Return the task of a record in BIRD's layout, without its secret.

    databases: folder of the SQLite files; None if `db_id` names a database of a server.

    Raises:
        BadRecord: a field is wrong, or there is no database.
    """
    group = record.text("db_id")
    question = record.text("question").strip()
    evidence = record.maybe("evidence").strip()
    hint = f"\nHint: {evidence}" if evidence else ""
    difficulty = record.maybe("difficulty")
    return Task(
        id=f"{kind}-{path.stem}-{record.id('question_id', faults)}",
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
    """Return the path of a record's database; raise BadRecord if there is no such file."""
    group = record.text("db_id")
    database = folder / group / f"{group}.sqlite"
    if not database.is_file():
        raise BadRecord(record.place, f"no database {database}")
    return str(database)


def spider_tasks(folder: Path, split: str | None, *, strict: bool = False) -> list[Task]:
    """Read `dev.json` or `train_spider.json` (+ `train_others.json`), with `database/<db>/`.

    A record that makes no task is told and left out, unless `strict`.

    Raises:
        DataError: the message names the file and the record.
    """
    splits = [name for name, files in SPIDER_SPLITS.items() if (folder / files[0]).is_file()]
    chosen, faults = _pick_split(folder, split, splits), Faults(strict)
    databases = folder / "database"
    if chosen == "test" and (folder / "test_database").is_dir():
        databases = folder / "test_database"
    records: list[Record] = []
    for path in (folder / name for name in SPIDER_SPLITS[chosen]):
        if not records or path.is_file():
            start = records[-1].index + 1 if records else 0
            found = read_list(path, faults)
            records += [replace(record, index=start + record.index) for record in found]

    def make(record: Record) -> Task:
        group = record.text("db_id")
        return Task(
            id=f"spider-{chosen}-{record.index:04d}",
            prompt=f"{record.text('question').strip()}\nDatabase: {group}",
            secret={"sql": record.text("query")},
            details={"database": _existing_database(record, databases)},
            group=group,
            split=chosen,
        )

    tasks = make_tasks(records, make, faults)
    faults.report()
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

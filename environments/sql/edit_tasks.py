"""Tasks whose solution changes a database: BIRD's layout, with statements in the place of queries.

`SQL` of a record is one statement, or a list of statements that are run in order.
"""

from pathlib import Path
from typing import Any

from environments.errors import DataError
from environments.records import distinct
from environments.sql.formats import BUNDLED, bird_databases
from environments.sql.records import (
    existing_database,
    optional_text,
    pick_split,
    read_records,
    text_field,
)
from environments.types import Task

BUNDLED_EDITS = BUNDLED / "writable"
"""Our own tasks, over the databases of the read-only ones."""


def edit_tasks(folder: Path, split: str | None, *, files: bool) -> list[Task]:
    """`<split>.json`, with the databases where BIRD has them.

    files: whether a task's database is a SQLite file of that folder; else it is one of a server,
        which is called as `db_id` says.

    Raises:
        DataError: naming the file and the record.
    """
    splits = sorted(p.stem for p in folder.glob("*.json") if not p.stem.endswith("_tables"))
    chosen = pick_split(folder, split, splits)
    path = folder / f"{chosen}.json"
    # The bundled ones share the databases of the folder above them.
    place = BUNDLED if folder == BUNDLED_EDITS else folder
    databases = bird_databases(place, chosen) if files else None
    tasks = [
        _edit_task(path, index, record, databases)
        for index, record in enumerate(read_records(path))
    ]
    return distinct(path, tasks, "question_id")


def _edit_task(path: Path, index: int, record: dict[str, Any], databases: Path | None) -> Task:
    group = text_field(path, index, record, "db_id")
    question = text_field(path, index, record, "question").strip()
    evidence = optional_text(path, index, record, "evidence").strip()
    hint = f"\nHint: {evidence}" if evidence else ""
    difficulty = optional_text(path, index, record, "difficulty")
    database = group
    if databases is not None:
        database = existing_database(path, index, databases / group / f"{group}.sqlite")
    return Task(
        id=f"database-{path.stem}-{record.get('question_id', index)}",
        prompt=f"{question}{hint}\nDatabase: {group}",
        secret={"statements": _statements(path, index, record)},
        details={"database": database},
        tags={"difficulty": difficulty} if difficulty else {},
        group=group,
        split=path.stem,
    )


def _statements(path: Path, index: int, record: dict[str, Any]) -> tuple[str, ...]:
    """One or more texts."""
    value = record.get("SQL")
    if not isinstance(value, list):
        return (text_field(path, index, record, "SQL"),)
    texts = [text for text in value if isinstance(text, str) and text.strip()]
    if not texts or len(texts) != len(value):
        raise DataError(f"{path}: record {index}: field 'SQL' must be text or a list of texts")
    return tuple(texts)

"""Tasks that change a database, in BIRD's layout with statements instead of queries.

The `SQL` of a record is one statement, or a list of statements that run in order.
"""

from pathlib import Path
from typing import Any

from environments.errors import DataError
from environments.records import check_unique_ids
from environments.sql.tasks.formats import BUNDLED, bird_databases
from environments.sql.tasks.records import (
    existing_database,
    optional_text,
    pick_split,
    read_records,
    text_field,
)
from environments.types import Task

BUNDLED_EDITS = BUNDLED / "writable"
"""The bundled tasks; they use the databases of the read-only ones."""


def edit_tasks(folder: Path, split: str | None, *, files: bool) -> list[Task]:
    """Read `<split>.json`, with the databases where BIRD has them.

    Args:
        files: whether a task's database is a SQLite file in the folder; else it is the server's
            database named by `db_id`.

    Raises:
        DataError: the message names the file and the record.
    """
    splits = sorted(p.stem for p in folder.glob("*.json") if not p.stem.endswith("_tables"))
    chosen = pick_split(folder, split, splits)
    path = folder / f"{chosen}.json"
    # The bundled tasks share the databases of the folder above.
    place = BUNDLED if folder == BUNDLED_EDITS else folder
    databases = bird_databases(place, chosen) if files else None
    tasks = [
        _edit_task(path, index, record, databases)
        for index, record in enumerate(read_records(path))
    ]
    return check_unique_ids(path, tasks, "question_id")


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
    """Return the statements of a record."""
    value = record.get("SQL")
    if not isinstance(value, list):
        return (text_field(path, index, record, "SQL"),)
    texts = [text for text in value if isinstance(text, str) and text.strip()]
    if not texts or len(texts) != len(value):
        raise DataError(f"{path}: record {index}: field 'SQL' must be text or a list of texts")
    return tuple(texts)

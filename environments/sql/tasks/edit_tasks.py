"""Tasks that change a database, in BIRD's layout with statements instead of queries.

The `SQL` of a record is one statement, or a list of statements that run in order.
"""

from dataclasses import replace
from pathlib import Path

from environments.records import BadRecord, Faults, Record, make_tasks, read_list
from environments.sql.tasks.formats import (
    BUNDLED,
    bird_databases,
    bird_file,
    bird_task,
)
from environments.types import Task

BUNDLED_EDITS = BUNDLED / "writable"
"""The bundled tasks; they use the databases of the read-only ones."""


def edit_tasks(folder: Path, split: str | None, *, files: bool, strict: bool = False) -> list[Task]:
    """Read `<split>.json`, with the databases where BIRD has them.

    Args:
        files: whether a task's database is a SQLite file in the folder; else it is the server's
            database named by `db_id`.
        strict: whether a record that makes no task is refused; else it is told and left out.

    Raises:
        DataError: the message names the file and the record.
    """
    path, faults = bird_file(folder, split), Faults(strict)
    # The bundled tasks share the databases of the folder above.
    place = BUNDLED if folder == BUNDLED_EDITS else folder
    databases = bird_databases(place, path.stem) if files else None

    def make(record: Record) -> Task:
        task = bird_task("database", path, record, databases, faults)
        return replace(task, secret={"statements": _statements(record)})

    tasks = make_tasks(read_list(path, faults), make, faults)
    faults.report()
    return tasks


def _statements(record: Record) -> tuple[str, ...]:
    value = record.fields.get("SQL")
    if not isinstance(value, list):
        return (record.text("SQL"),)
    texts = [text for text in value if isinstance(text, str) and text.strip()]
    if not texts or len(texts) != len(value):
        raise BadRecord(record.place, "field 'SQL' must be text or a list of texts")
    return tuple(texts)

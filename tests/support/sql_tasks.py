"""Task files in BIRD's layout, and their databases."""

import json
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

RECORD = {"db_id": "shop", "question": "How many?", "SQL": "SELECT count(*) FROM item"}


def write_bird(
    folder: Path, records: Sequence[Any], *, split: str = "dev", database: Path | None = None
) -> Path:
    """Write records, completed where they lack a field, and the database `shop`; its path."""
    path = folder / f"{split}_databases" / "shop" / "shop.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    if database is not None:
        shutil.copy(database, path)
    elif not path.exists():
        write_database(path)
    filled = [RECORD | each if isinstance(each, Mapping) else each for each in records]
    (folder / f"{split}.json").write_text(json.dumps(filled))
    return path


def write_database(path: Path, rows: int = 2) -> Path:
    """Write a database with a table `item` of `rows` rows."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO item VALUES (?)", ((n,) for n in range(rows)))
        connection.commit()
    return path

"""Write a bundled database: its SQLite file and, beside it, the column descriptions as CSV.

The same sources give the same bytes. Limitation: the bytes of the pages are SQLite's own, so an
SQLite that lays out b-trees differently would write equal rows in other bytes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

from tools.bundled.sql.words import Row

HEADER = "original_column_name,column_name,column_description,data_format,value_description\n"
WRITER_VERSION = slice(96, 100)
"""Where the file header names the SQLite that wrote it (SQLite's file format, 1.3)."""


class Source(Protocol):
    """What a module of a bundled database offers; the db_id is the last part of its name."""

    __name__: str
    SCHEMA: str
    DESCRIPTIONS: dict[str, str]

    def rows(self) -> Iterator[Row]:
        """All rows, parents before children, the same at every call."""


def db_id(source: Source) -> str:
    """The database's name."""
    return source.__name__.rpartition(".")[2]


def write(source: Source, folder: Path) -> Path:
    """Make `folder/<db_id>/` with the database and its descriptions; returns the database's path.

    Raises:
        sqlite3.IntegrityError: a row breaks a key of the schema.
    """
    path = folder / db_id(source) / f"{db_id(source)}.sqlite"
    descriptions = path.parent / "database_description"
    descriptions.mkdir(parents=True, exist_ok=True)
    for table, text in source.DESCRIPTIONS.items():
        (descriptions / f"{table}.csv").write_bytes((HEADER + text).encode())
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(source.SCHEMA)
        for table, values in source.rows():
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)
        connection.commit()
        connection.execute("VACUUM")
    content = bytearray(path.read_bytes())
    content[WRITER_VERSION] = bytes(4)
    path.write_bytes(content)
    return path

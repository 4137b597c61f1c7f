"""What the tests of both editors of databases ask."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from environments.sql.editor import Editor

SHOP = """
CREATE TABLE sale (id INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT UNIQUE, n INTEGER CHECK (n < 99));
CREATE TABLE "odd name" ("a ""b" BLOB, t TEXT);
CREATE TABLE audit (what TEXT);
CREATE TRIGGER kept AFTER DELETE ON sale BEGIN INSERT INTO audit VALUES ('gone ' || old.id); END;
CREATE VIEW big AS SELECT who FROM sale WHERE n > 3;
INSERT INTO sale (who, n) VALUES ('Ann', 3), ('Bob', 5), (NULL, NULL);
INSERT INTO "odd name" VALUES (x'00ff', CAST(x'fffe41' AS TEXT)), (1.0, '1');
"""


def write_shop(path: Path) -> Path:
    """`SHOP` as a file of SQLite's; its path."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SHOP)
    return path


def error(editor: Editor, sql: str) -> str:
    """Kind and message of what is wrong; "" if it ran."""
    found = editor.run(sql, max_rows=5, max_cell=20).result.error
    return f"{found.kind}: {found.message}" if found else ""


def rows(editor: Editor, sql: str) -> list[tuple[Any, ...]]:
    found = editor.run(sql, max_rows=20, max_cell=60).result
    assert found.error is None, found.error
    return list(found.rows)

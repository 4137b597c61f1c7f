"""What the agent reads: descriptions of tables, and rows as text."""

import csv
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from environments import DataError
from environments.sql.schema import Schema, descriptions
from environments.sql.text import MAX_TEXT, result_text, table_text
from sandbox import QueryResult, QueryWorker

DDL = """
CREATE TABLE maker (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE "odd ""name" ("a b" TEXT, maker INTEGER REFERENCES maker);
CREATE TABLE Bike (id INTEGER PRIMARY KEY, maker_id INTEGER REFERENCES maker (id), note TEXT);
CREATE VIEW broken AS SELECT absent FROM nowhere;
INSERT INTO maker VALUES (1, 'Aa'), (2, 'Bb'), (3, 'Cc'), (4, 'Dd');
INSERT INTO Bike VALUES (1, 2, NULL), (2, 2, 'two
lines');
"""


@pytest.fixture
def schema(tmp_path: Path) -> Iterator[Schema]:
    path = tmp_path / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(DDL)
    connection.close()
    with QueryWorker("process") as worker:
        yield Schema(worker, str(path))


def write_notes(schema: Schema, name: str, data: bytes) -> Path:
    folder = Path(schema.database).parent / "database_description"
    folder.mkdir()
    (folder / name).write_bytes(data)
    return folder


def test_tables_and_columns(schema: Schema) -> None:
    assert schema.tables() == ["maker", 'odd "name', "Bike", "broken"]
    assert schema.find("bIKE") == "Bike" and schema.find('"maker"') == "maker"
    assert schema.find("bikes") is None
    assert schema.columns()["bike"] == ["id", "maker_id", "note"]


def test_description_with_keys_notes_and_rows(schema: Schema) -> None:
    notes = "original_column_name,column_description,value_description\nid ,id,\n"
    notes += 'MAKER_ID,"who  made\nit","1, 2"\nnote,café\x92s,\n'
    data = notes.replace("\x92", "’").encode("cp1252")
    write_notes(schema, "bike.csv", b"\xef\xbb\xbf" + data)
    assert schema.describe("Bike") == (
        "table Bike:\n"
        "  id INTEGER, primary key\n"
        "  maker_id INTEGER -> maker.id: who made it; 1, 2\n"
        "  note TEXT: café’s\n"
        "sample rows:\n"
        "id | maker_id | note\n"
        "1  | 2        | NULL\n"
        "2  | 2        | two\\nlines"
    )
    assert schema.describe("maker").endswith("1  | Aa\n2  | Bb\n3  | Cc")


def test_odd_names_and_broken_views(schema: Schema) -> None:
    assert schema.describe('odd "name') == (
        'table "odd ""name":\n  a b TEXT\n  maker INTEGER -> maker\nthe table is empty'
    )
    assert "no such table: main.nowhere" in schema.describe("broken")


def test_notes_that_lack_columns_or_say_nothing_new(schema: Schema) -> None:
    data = "\ufefforiginal_column_name,data_format\nid,integer\n,\nname,text,extra,extra\n".encode()
    folder = write_notes(schema, "maker.csv", data)
    assert not any(descriptions(folder, "maker").values())
    assert descriptions(folder, "Bike") == {}
    assert descriptions(folder / "none", "maker") == {}


def test_notes_that_are_not_csv_are_named(schema: Schema) -> None:
    data = b"original_column_name,column_description\nid," + b"x" * 200_000 + b"\n"
    folder = write_notes(schema, "maker.csv", data)
    before = csv.field_size_limit(1 << 17)  # other readers raise it for the whole process
    try:
        with pytest.raises(DataError, match="maker.csv: field larger than"):
            descriptions(folder, "maker")
    finally:
        csv.field_size_limit(before)


def test_rows_are_aligned_and_null_is_not_text() -> None:
    rows = ((1, None), (20, "NULL"), (3, ""), (3, "a\nb\\n"), (3, 0.5), (3, "x | y"))
    assert result_text(QueryResult(("n", "value"), rows, 6)) == (
        "n  | value\n"
        "1  | NULL\n"
        "20 | 'NULL'\n"
        "3  | ''\n"
        "3  | a\\nb\\\\n\n"
        "3  | 0.5\n"
        "3  | x | y\n"
        "(6 rows)"
    )


def test_what_is_not_shown_is_counted() -> None:
    assert result_text(QueryResult(("a",), (), 0)) == "a\n(no rows)"
    assert result_text(QueryResult(("a", "a"), ((1, 2),), 1)) == "a | a\n1 | 2\n(1 row)"
    assert result_text(QueryResult(("a",), ((1,),), 7)).endswith("(7 rows, the first 1 shown)")
    more = QueryResult(("a",), ((1,),), 10_000, more=True)
    assert result_text(more).endswith("(at least 10000 rows, the first 1 shown)")


def test_text_is_bounded() -> None:
    rows = [["x" * 60] * 200] * 20
    text, shown = table_text(["c"] * 200, rows)
    assert len(text) <= MAX_TEXT and 0 < shown < 20


def test_an_overview_quotes_names_notes_values_and_leaves_out_broken_views(schema: Schema) -> None:
    data = b"original_column_name,column_description,value_description\nnote,a remark,two lines\n"
    write_notes(schema, "Bike.csv", data)
    assert schema.overview() == (
        "maker(id integer primary key, name text)\n"
        '"odd ""name"("a b" text, maker -> maker)\n'
        "Bike(id integer primary key, maker_id -> maker.id, note text [two lines])"
    )

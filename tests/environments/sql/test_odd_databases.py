"""What a database may hold besides plain tables: the agent finds and reads all of it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from environments import Action, Task, ToolEnv, make
from environments.sql.names import find_name, named, shown_name
from environments.sql.schema import Schema
from environments.sql.text import tables_text
from sandbox import QueryWorker
from tests.support.sql_tasks import write_bird

DDL = """
CREATE TABLE item (id INTEGER PRIMARY KEY, price REAL, total REAL AS (price * 2),
    half REAL AS (price / 2) STORED);
INSERT INTO item (price) VALUES (3);
CREATE VIRTUAL TABLE notes USING fts5(title, body);
INSERT INTO notes VALUES ('a', 'hello world');
CREATE VIRTUAL TABLE terms USING fts5vocab(notes, 'row');
CREATE VIRTUAL TABLE old3 USING fts3(words);
CREATE VIRTUAL TABLE old4 USING fts4(words);
INSERT INTO old3 VALUES ('hello'); INSERT INTO old4 VALUES ('hello');
CREATE VIRTUAL TABLE boxes USING rtree(id, low, high);
INSERT INTO boxes VALUES (1, 2, 3);
CREATE VIRTUAL TABLE copied USING fts5(text, content=entry, content_rowid=id);
CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT);
CREATE TRIGGER entered AFTER INSERT ON entry
    BEGIN INSERT INTO copied (rowid, text) VALUES (new.id, new.text); END;
CREATE VIEW found AS SELECT title FROM notes WHERE notes MATCH 'hello';
CREATE VIEW broken AS SELECT absent FROM nowhere;
CREATE TABLE exact (a INTEGER) STRICT;
CREATE TABLE keyed (a TEXT PRIMARY KEY) WITHOUT ROWID;
"""
HIDDEN = ("notes_data", "boxes_node", "old4_segments")
"""Tables in which virtual tables keep their rows."""
ODD_NAMES = (
    'q"', "[br]", "a, b", "two\nlines", "select", "ends ", "Ünï", "'s'", "`b`", "a.b", '"""', "x]"
)  # fmt: skip

READS = [
    ("SELECT body FROM notes WHERE notes MATCH 'world'", ("hello world",)),
    ("SELECT title FROM notes('hello') ORDER BY rank", ("a",)),
    ("SELECT highlight(notes, 1, '<', '>') FROM notes('hello')", ("<hello> world",)),
    ("SELECT term FROM terms WHERE cnt = 1 ORDER BY term DESC LIMIT 1", ("world",)),
    ("SELECT words FROM old3 WHERE words MATCH 'hello'", ("hello",)),
    ("SELECT words FROM old4 WHERE old4 MATCH 'hello'", ("hello",)),
    ("SELECT id FROM boxes WHERE low <= 2 AND high >= 3", (1,)),
    ("SELECT title FROM found", ("a",)),
    ("SELECT value FROM json_each('[7]')", (7,)),
    ("SELECT count(*) > 0 FROM dbstat", (1,)),
]
WRITES = [
    "INSERT INTO notes VALUES ('x', 'y')",
    "INSERT INTO notes (notes) VALUES ('rebuild')",
    "DELETE FROM notes_data",
    "INSERT INTO boxes VALUES (5, 6, 7)",
    "DELETE FROM boxes_node",
    "CREATE VIRTUAL TABLE mine USING fts5(a)",
    "DROP TABLE notes",
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("odd") / "odd.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(DDL)
    for name in ODD_NAMES:
        quoted = '"' + name.replace('"', '""') + '"'
        connection.execute(f"CREATE TABLE {quoted} ({quoted} INTEGER)")
        connection.execute(f"INSERT INTO {quoted} VALUES (8)")
    connection.commit()
    connection.close()
    return path


@pytest.fixture(scope="module")
def worker() -> Iterator[QueryWorker]:
    with QueryWorker("process") as made:
        yield made


@pytest.fixture(scope="module")
def editing(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolEnv]:
    folder = tmp_path_factory.mktemp("edits")
    write_bird(folder, [{"SQL": "INSERT INTO entry (text) VALUES ('new')"}], database=database)
    env = make("database", data=str(folder), split="dev", sandbox="process")
    yield env
    env.close()


@pytest.mark.parametrize(("sql", "row"), READS)
def test_virtual_tables_are_read(
    worker: QueryWorker, editing: ToolEnv, database: Path, sql: str, row: tuple[object, ...]
) -> None:
    assert worker.query(database, sql).rows == (row,)
    editing.reset(options={"task": editing.tasks[0]})
    observation, *_, info = editing.step(Action("run_sql", {"sql": sql}))
    assert info == {"rows": 1} and str(row[0]) in observation


@pytest.mark.parametrize("sql", WRITES)
def test_virtual_tables_are_read_only(worker: QueryWorker, database: Path, sql: str) -> None:
    found = worker.query(database, sql)
    assert found.error is not None and found.error.kind == "denied"


def test_a_statement_may_write_through_a_virtual_table(editing: ToolEnv) -> None:
    (task,) = editing.tasks
    editing.reset(options={"task": task})
    # In two steps the index has other inner rows than the gold statement leaves: not a difference.
    for sql in ("INSERT INTO entry VALUES (1, 'old')", "DELETE FROM entry"):
        editing.step(Action("run_sql", {"sql": sql}))
    editing.step(Action("run_sql", {"sql": "INSERT INTO copied(copied) VALUES ('rebuild')"}))
    editing.step(Action("run_sql", {"sql": task.secret["statements"][0]}))
    *_, info = editing.step(Action("run_sql", {"sql": "SELECT * FROM copied('new')"}))
    assert info == {"rows": 1}
    _, reward, *_ = editing.step(Action("submit", {}))
    assert reward == 1.0


def test_generated_and_hidden_columns_are_listed(worker: QueryWorker, database: Path) -> None:
    schema = Schema(worker, str(database))
    assert "  total REAL, generated\n  half REAL, generated\n" in schema.describe("item")
    assert "  notes hidden\n  rank hidden\n" in schema.describe("notes")
    assert "item(id integer primary key, price real, total real generated" in schema.overview()
    assert schema.columns()["item"] == ["id", "price", "total", "half"]
    assert schema.layout()["notes"] == ["title", "body", "notes", "rank"]


def test_inner_tables_are_not_listed_and_a_broken_view_breaks_nothing(
    worker: QueryWorker, database: Path
) -> None:
    tables = Schema(worker, str(database)).tables()
    assert {"notes", "boxes", "found", "broken", "exact", "keyed", *ODD_NAMES} <= {*tables}
    assert not {*tables} & {*HIDDEN}


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_found_as_listed(worker: QueryWorker, database: Path, name: str) -> None:
    schema = Schema(worker, str(database))
    for spelled in (name, shown_name(name), named(name), f"main.{named(name)}", name.strip()):
        assert schema.find(spelled) == name
    assert schema.describe(name).endswith("\n8")


def test_a_list_of_odd_names_is_unambiguous(editing: ToolEnv) -> None:
    editing.reset(options={"task": editing.tasks[0]})
    listed, *_ = editing.step(Action("list_tables", {}))
    assert '"q""", [br], "a, b", "two\nlines", select, "ends ", Ünï' in listed


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("Users", "Users"),
        ("users", "users"),
        ("USERS", "users"),
        ("public.users", "users"),
        ('public."Users"', "Users"),
        ('"sales"."Order Lines"', "sales.Order Lines"),
        ("sales.order lines", "sales.Order Lines"),
        ('"a.b"', '"a.b"'),
        ("[br]", "[br]"),
        ("other.users", None),
        ('"', None),
        ("", None),
        (".", None),
    ],
)
def test_names_as_agents_write_them(wanted: str, found: str | None) -> None:
    known = ["Users", "users", "sales.Order Lines", '"a.b"', "[br]", "br"]
    assert find_name(wanted, known, ("main", "public")) == found


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 1,900 columns, and 1,500 tables with long names."""
    path = tmp_path_factory.mktemp("wide") / "wide.sqlite"
    columns = ", ".join(f"column_number_{n} INTEGER NOT NULL" for n in range(1900))
    connection = sqlite3.connect(path)
    connection.execute("BEGIN")  # else each statement is written to the disk by itself
    connection.execute(f"CREATE TABLE wide ({columns})")
    for n in range(1500):
        connection.execute(f"CREATE TABLE a_table_with_a_long_name_{n} (id INTEGER)")
    connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("most", [1000, 8000])
def test_wide_tables_and_long_lists_say_what_is_left_out(wide: Path, most: int) -> None:
    task = Task("t", "?", {"sql": "SELECT 1"}, {"database": str(wide)})
    env = make("bird", sandbox="process", observation_chars=most)
    try:
        env.reset(options={"task": task})
        described, *_ = env.step(Action("describe_table", {"table": "wide"}))
        listed, *_ = env.step(Action("list_tables", {}))
        unknown, *_ = env.step(Action("describe_table", {"table": "none"}))
        overview = env._overview(task)  # type: ignore[attr-defined]
    finally:
        env.close()
    for text in (described, listed, unknown, overview):
        assert most / 2 < len(text) <= most
    shown = described.count("column_number_")
    assert "  column_number_0 INTEGER, not null" in described
    assert f"\n... {1900 - shown:,} more columns\nthe table is empty" in described
    assert f", ... {1501 - listed.count('long_name') - 1:,} more tables" in listed
    assert listed.endswith(" more tables") and unknown.endswith(" more tables")
    assert " more columns)" in overview and overview.endswith(" more tables")


def test_long_notes_are_shortened_before_columns_are_left_out(tmp_path: Path) -> None:
    path = write_bird(tmp_path, [])
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE noted ({', '.join(f'c{n} TEXT' for n in range(90))})")
    connection.close()
    notes = path.parent / "database_description" / "noted.csv"
    notes.parent.mkdir()
    lines = [
        f"c{n},{'what it means ' * 9},{'1: yes, ' * 20}".replace(", ", "; ") for n in range(90)
    ]
    notes.write_text(
        "\n".join(["original_column_name,column_description,value_description", *lines])
    )
    with QueryWorker("process") as worker:
        schema = Schema(worker, str(path))
        for text in (schema.describe("noted"), schema.overview()):
            assert len(text) <= 8000 and "c89" in text and "more" not in text and "..." in text
        assert len(schema.describe("noted", 100_000)) > 8000


def test_an_empty_file_is_an_empty_database(worker: QueryWorker, tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite").touch()
    schema = Schema(worker, str(tmp_path / "empty.sqlite"))
    assert schema.tables() == [] and schema.overview() == "the database has no tables"
    assert tables_text([], 100) == "none"

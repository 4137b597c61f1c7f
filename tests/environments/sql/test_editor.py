"""A writable database on SQLite: what is refused, and how states are kept apart and compared."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from environments.sql.sqlite.editor import SqliteEditor
from sandbox import QueryLimits, SandboxError
from tests.support.editors import SHOP, error, rows, write_shop

STALL = """
UPDATE sale SET n = (
    WITH RECURSIVE k (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM k LIMIT 900), t AS (
        SELECT replace(hex(zeroblob(60000)), '0', 'a') AS x,
               replace(hex(zeroblob(30000)), '0', 'a') || 'b' AS y
    ) SELECT sum(instr(x || i, y)) FROM t, k
)
"""


@pytest.fixture(scope="module")
def shop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop") / "shop.sqlite")


@pytest.fixture(scope="module")
def editor(shop_file: Path) -> Iterator[SqliteEditor]:
    made = SqliteEditor("process", [shop_file], QueryLimits(seconds=0.5))
    yield made
    made.close()


@pytest.fixture
def shop(editor: SqliteEditor, shop_file: Path) -> SqliteEditor:
    """In the untouched state of the shop."""
    editor.open(str(shop_file))
    return editor


def nodes(editor: SqliteEditor) -> int:
    sandbox = editor._copies._sandbox
    assert sandbox is not None
    return len(sandbox.stat().alive)


@pytest.mark.parametrize(
    ("left", "right", "equal", "strict"),
    [
        ("UPDATE sale SET n = 7", "UPDATE sale SET n = 7.0", True, True),
        ("UPDATE audit SET what = 1", "DELETE FROM audit", True, True),
        ("INSERT INTO audit VALUES ('1')", "INSERT INTO audit VALUES ('1 ')", False, False),
        ("CREATE TABLE t AS SELECT 1 a", "CREATE TABLE t AS SELECT 1.0 a", True, False),
        ("CREATE TABLE t AS SELECT 1 a", "CREATE TABLE t AS SELECT '1' a", False, False),
        ("CREATE TABLE t AS SELECT 1 a", "CREATE TABLE t AS SELECT x'31' a", False, False),
        ("CREATE TABLE t AS SELECT '' a", "CREATE TABLE t AS SELECT NULL a", False, False),
        ("CREATE TABLE t AS SELECT 1 a, 2 b", "CREATE TABLE T AS SELECT 2 B, 1 A", True, False),
        ("CREATE TABLE t AS SELECT 1 a, 2 b", "CREATE TABLE t AS SELECT 2 a, 1 b", False, False),
        ("CREATE TABLE t AS VALUES (1), (2), (2)", "CREATE TABLE t AS VALUES (2), (1), (2)", True,
         True),
        ("CREATE TABLE t AS VALUES (1), (2), (2)", "CREATE TABLE t AS VALUES (1), (1), (2)", False,
         False),
        ("CREATE TABLE t AS SELECT 9007199254740993 a",
         "CREATE TABLE t AS SELECT 9007199254740992 a", False, False),
        ("CREATE TABLE t AS SELECT 1e300 a", "CREATE TABLE t AS SELECT 1e300 a", True, True),
        ("DROP TABLE audit", "DELETE FROM audit", False, False),
        ("ALTER TABLE audit RENAME what TO that", "SELECT 1", False, False),
        ("ALTER TABLE audit ADD COLUMN more", "SELECT 1", False, False),
        ("CREATE INDEX i ON sale (n)", "SELECT 1", True, False),
        ("CREATE VIEW v AS SELECT 1 a", "CREATE VIEW v AS SELECT count(*) / 3 a FROM sale", True,
         False),
        ("CREATE VIEW v AS SELECT 1 a", "SELECT 1", False, False),
        ("DROP VIEW big", "SELECT 1", False, False),
    ],
)  # fmt: skip
def test_states_are_equal_as_their_values_are(
    shop: SqliteEditor, shop_file: Path, left: str, right: str, equal: bool, strict: bool
) -> None:
    one, other = (shop.trial(str(shop_file), [sql]).state for sql in (left, right))
    assert one is not None and other is not None
    same_type = strict and one.schema == other.schema
    assert (one.content == other.content, same_type) == (equal, strict)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("BEGIN", "denied"),
        ("COMMIT", "denied"),
        ("ROLLBACK", "denied"),
        ("SAVEPOINT w1", "denied"),
        ("RELEASE w1", "denied"),
        ("ROLLBACK TO w1", "denied"),
        ("PRAGMA writable_schema = 1", "denied"),
        ("PRAGMA foreign_keys = ON", "denied"),
        ("PRAGMA journal_mode = WAL", "denied"),
        ("ATTACH ':memory:' AS other", "denied"),
        ("VACUUM", "sql"),
        ("VACUUM INTO '/tmp/stolen'", "sql"),
        ("ANALYZE", "denied"),
        ("SELECT load_extension('x')", "denied"),
        ("SELECT random()", "denied"),
        ("UPDATE sale SET n = abs(random() % 9)", "denied"),
        ("SELECT last_insert_rowid()", "denied"),
        ("SELECT total_changes()", "denied"),
        ("CREATE TEMP TABLE t (a)", "denied"),
        ("CREATE TRIGGER t AFTER INSERT ON sale BEGIN SELECT 1; END", "denied"),
        ("DROP TRIGGER kept", "denied"),
        ("CREATE VIRTUAL TABLE t USING fts5 (a)", "denied"),
        ("INSERT INTO sqlite_master VALUES (1, 2, 3, 4, 5)", "sql"),
        ("DELETE FROM sqlite_master", "sql"),
        ("SELECT 1; DROP TABLE sale", "sql"),
        ("SELECT nope FROM sale", "sql"),
        ("-- nothing", "sql"),
        ("", "sql"),
        ("SELECT 'a\0b'", "sql"),
        ("INSERT INTO sale (who) VALUES ('New'), ('Ann')", "sql"),
        ("INSERT OR FAIL INTO sale (who) VALUES ('New'), ('Ann')", "sql"),
        ("INSERT OR ROLLBACK INTO sale (who) VALUES ('New'), ('Ann')", "sql"),
        ("UPDATE sale SET n = 99", "sql"),
        ("SELECT zeroblob(999999999)", "too_big"),
        ("INSERT INTO audit WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x FROM c)"
         " SELECT x FROM c", "timeout"),
        ("WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x FROM c) SELECT count(*) FROM c",
         "timeout"),
        ("INSERT INTO audit WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c"
         " LIMIT 20000) SELECT hex(zeroblob(40000)) FROM c", "too_big"),
        ("UPDATE sale SET n = length(replace(hex(zeroblob(99999)), '00',"
         " replace(hex(zeroblob(99999)), '0', 'a')))", "too_big"),
    ],
)  # fmt: skip
def test_a_statement_that_is_refused_or_fails_leaves_no_trace(
    shop: SqliteEditor, sql: str, kind: str
) -> None:
    rows(shop, "UPDATE sale SET n = 4 WHERE who = 'Ann'")
    mark, before = shop.save(), shop.state()
    wrong = error(shop, sql)
    assert wrong.startswith(f"{kind}: ") or (kind == "too_big" and "timeout" in wrong), wrong
    assert shop.state() == before
    for _ in range(2):
        rows(shop, "INSERT INTO sale (who) VALUES ('Next')")
        assert rows(shop, "SELECT id, n FROM sale WHERE who IN ('Ann', 'Next')") == [
            (1, 4),
            (4, None),
        ]
        shop.back(mark)
    shop.free(mark)


def test_a_statement_that_kills_its_node_costs_nothing_else(shop: SqliteEditor) -> None:
    """Opcodes that run on past the progress handler: the sandbox ends the process."""
    for in_place in (False, True):
        first = shop.save()
        rows(shop, "DELETE FROM sale WHERE who = 'Ann'")
        second, before = shop.save(), shop.state()
        if in_place:
            rows(shop, "UPDATE sale SET n = 1")
            third, before = shop.save(), shop.state()
        else:
            third = shop.save()
            shop.back(first)  # so that the next statement is run in a fork
            before = shop.state()
        node, started = shop._here.node, time.monotonic()
        assert error(shop, STALL).startswith("timeout: the statement ran longer than 0.5 s")
        assert 1.4 < time.monotonic() - started < 5
        assert not shop._copies.alive(node) or not in_place
        assert shop.state() == before
        shop.back(third)
        assert rows(shop, "SELECT what FROM audit") == [("gone 1",)]
        shop.back(second)
        assert rows(shop, "SELECT n FROM sale WHERE id = 2") == [(5,)]
        shop.back(first)
        assert rows(shop, "SELECT count(*) FROM sale") == [(3,)]
        for mark in (first, second, third):
            shop.free(mark)


def test_one_path_is_one_process_and_branches_fork(shop: SqliteEditor) -> None:
    start = shop.save()
    rows(shop, "DELETE FROM audit")
    at_first = nodes(shop)
    marks = []
    for _ in range(5):  # depth first: what is left is freed before
        marks.append(shop.save())
        rows(shop, "INSERT INTO audit VALUES ('x')")
    for mark in reversed(marks):
        shop.back(mark)
        rows(shop, "INSERT INTO audit VALUES ('y')")
        shop.back(mark)
        shop.free(mark)
    assert nodes(shop) == at_first
    ahead = [shop.save()]
    rows(shop, "INSERT INTO audit VALUES ('deep')")
    ahead.append(shop.save())
    deep = shop.state()
    shop.back(ahead[0])  # somebody still wants the deeper state
    assert rows(shop, "SELECT count(*) FROM audit") == [(0,)]
    assert nodes(shop) == at_first + 1
    shop.back(ahead[1])
    assert shop.state() == deep
    for mark in (*ahead, start):
        shop.free(mark)
    assert nodes(shop) <= at_first + 1


def test_a_death_after_a_rollback_in_place(shop: SqliteEditor) -> None:
    rows(shop, "SELECT 1")  # so that the mark is of a node that can go on in place
    start = shop.save()
    rows(shop, "DELETE FROM sale WHERE id = 1")
    shop.back(start)
    rows(shop, "DELETE FROM sale WHERE id = 2")
    before = shop.state()
    assert error(shop, "INSERT OR ROLLBACK INTO sale (who) VALUES ('Ann')")
    assert shop.state() == before
    shop.free(start)


def test_the_law_under_branches_and_deaths(shop: SqliteEditor) -> None:
    """Random trees: a statement brings the same from the same state, whatever came between."""
    rng = random.Random(11)
    statements = [
        "INSERT INTO sale (who, n) SELECT 'x' || count(*), max(n) FROM sale RETURNING id, who",
        "INSERT OR ROLLBACK INTO sale (who) VALUES ('dup')",
        "UPDATE sale SET n = coalesce(n, 0) + 1",
        "DELETE FROM sale WHERE id = (SELECT max(id) FROM sale)",
        "SELECT * FROM sale JOIN audit",
        "ALTER TABLE audit ADD COLUMN extra INTEGER DEFAULT 3",
        "DROP VIEW big",
    ]
    known: dict[tuple[str, ...], Any] = {}
    states: list[tuple[Any, tuple[str, ...]]] = [(shop.save(), ())]
    repeats = 0
    for _ in range(150):
        mark, path = rng.choice(states[-8:])
        shop.back(mark)
        sql = rng.choice(statements)
        seen = shop.run(sql, max_rows=50, max_cell=50), shop.state()
        path = (*path, sql)
        repeats += path in known
        assert known.setdefault(path, seen) == seen
        states.append((shop.save(), path))
        if rng.random() < 0.2:
            shop.free(states.pop(rng.randrange(1, len(states)))[0])
    for mark, path in states:
        shop.back(mark)
        assert not path or shop.state() == known[path][1]
        shop.free(mark)
    assert repeats > 5


def test_states_survive_the_end_of_the_sandbox(shop: SqliteEditor) -> None:
    rows(shop, "DELETE FROM sale WHERE id = 2")
    mark, before = shop.save(), shop.state()
    shop.close()
    shop.back(mark)
    assert shop.state() == before
    shop.free(mark)


def test_trials_do_not_disturb_the_agent(shop: SqliteEditor, shop_file: Path) -> None:
    rows(shop, "DELETE FROM sale")
    state = shop.state()
    assert shop.trial(str(shop_file), ["DROP TABLE sale"]).state != state
    assert shop.trial(str(shop_file), ["DELETE FROM sale"]).state == state
    failed = shop.trial(str(shop_file), ["DELETE FROM sale", "DELETE FROM nope"])
    assert failed.state is None and failed.error is not None and "nope" in failed.error.message
    assert list(shop.fresh_layout(str(shop_file))) == ["sale", "odd name", "audit", "big"]
    assert shop.state() == state


def test_a_view_that_never_ends_is_the_agents_own_fault(shop: SqliteEditor) -> None:
    rows(
        shop,
        "CREATE VIEW v AS WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x FROM c)"
        " SELECT count(*) FROM c",
    )
    content = shop.state().content
    rows(shop, "DROP VIEW v")
    assert shop.state().content != content
    assert shop.run("SELECT * FROM audit", max_rows=1, max_cell=1).result.error is None


def test_a_file_in_wal_mode_can_be_copied(tmp_path: Path, shop_file: Path) -> None:
    path = tmp_path / "wal.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SHOP)
    with closing(SqliteEditor("process", [shop_file])) as editor:
        editor.open(str(path))  # not one of those it knows
        rows(editor, "DELETE FROM sale")
        assert rows(editor, "SELECT count(*) FROM audit") == [(3,)]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sale").fetchone() == (3,)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"nonsense" * 1000)
    with closing(SqliteEditor("process")) as editor:
        with pytest.raises(SandboxError, match="cannot open database .*x.sqlite: file is not a"):
            editor.open(str(path))
        with pytest.raises(SandboxError, match="cannot open database"):
            editor.open(str(tmp_path / "missing.sqlite"))

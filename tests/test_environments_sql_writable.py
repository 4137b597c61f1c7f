"""Writable tasks on SQLite: what is graded, what is refused, and how states are kept apart."""

import json
import random
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from environments import Action, DataError, Task, ToolEnv, make
from environments.sql.edit_tasks import BUNDLED_EDITS, edit_tasks
from environments.sql.formats import BUNDLED
from environments.sql.sqlite_editor import SqliteEditor
from environments.sql.wrong_writes import wrong_writes
from sandbox import QueryLimits, SandboxError
from tests.editors import error, rows

SHOP = """
CREATE TABLE sale (id INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT UNIQUE, n INTEGER CHECK (n < 99));
CREATE TABLE "odd name" ("a ""b" BLOB, t TEXT);
CREATE TABLE audit (what TEXT);
CREATE TRIGGER kept AFTER DELETE ON sale BEGIN INSERT INTO audit VALUES ('gone ' || old.id); END;
CREATE VIEW big AS SELECT who FROM sale WHERE n > 3;
INSERT INTO sale (who, n) VALUES ('Ann', 3), ('Bob', 5), (NULL, NULL);
INSERT INTO "odd name" VALUES (x'00ff', CAST(x'fffe41' AS TEXT)), (1.0, '1');
"""
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
    path = tmp_path_factory.mktemp("shop") / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SHOP)
    return path


@pytest.fixture(scope="module")
def editor(shop_file: Path) -> Iterator[SqliteEditor]:
    made = SqliteEditor("process", shop_file.parent, QueryLimits(seconds=0.5))
    yield made
    made.close()


@pytest.fixture
def shop(editor: SqliteEditor, shop_file: Path) -> SqliteEditor:
    """In the untouched state of the shop."""
    editor.open(str(shop_file))
    return editor


@pytest.fixture(scope="module")
def env() -> Iterator[ToolEnv]:
    made = make("database", sandbox="process")
    yield made
    made.close()


def nodes(editor: SqliteEditor) -> int:
    sandbox = editor._copies._sandbox
    assert sandbox is not None
    return len(sandbox.stat().alive)


def task_for(database: Path, *gold: str) -> Task:
    return Task("t", "?", {"statements": gold}, {"database": str(database)}, group="shop")


def submit(env: ToolEnv, task: Task, *statements: str) -> tuple[float, dict[str, Any]]:
    env.reset(options={"task": task})
    for sql in statements:
        assert not env.step(Action("run_sql", {"sql": sql}))[2]
    observation, reward, terminated, _, info = env.step(Action("submit", {}))
    assert (observation, terminated) == ("database submitted", True)
    return reward, info


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
    with closing(SqliteEditor("process", shop_file.parent)) as editor:
        editor.open(str(path))  # outside of its folder
        rows(editor, "DELETE FROM sale")
        assert rows(editor, "SELECT count(*) FROM audit") == [(3,)]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sale").fetchone() == (3,)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"nonsense" * 1000)
    with closing(SqliteEditor("process", tmp_path)) as editor:
        with pytest.raises(SandboxError, match="cannot open database .*x.sqlite: file is not a"):
            editor.open(str(path))
        with pytest.raises(SandboxError, match="cannot open database"):
            editor.open(str(tmp_path / "missing.sqlite"))


def test_tools_show_the_database_as_it_is(env: ToolEnv, shop_file: Path) -> None:
    env.reset(options={"task": task_for(shop_file, "DELETE FROM sale")})

    def see(tool: str, **arguments: str) -> tuple[str, dict[str, Any]]:
        observation, reward, terminated, _, info = env.step(Action(tool, arguments))
        assert (reward, terminated) == (0.0, False)
        return observation, info

    assert see("list_tables") == ("tables: sale, odd name, audit, big", {})
    assert see("run_sql", sql="DELETE FROM sale WHERE n IS NULL") == (
        "1 row changed",
        {"changed": 1},
    )
    assert see("run_sql", sql="UPDATE sale SET n = n RETURNING id") == (
        "id\n1\n2\n(2 rows)\n2 rows changed",
        {"rows": 2, "changed": 2},
    )
    assert see("run_sql", sql="SELECT n FROM sale WHERE id = 1") == ("n\n3\n(1 row)", {"rows": 1})
    assert see("run_sql", sql="ALTER TABLE audit RENAME TO log") == ("done", {})
    assert see("list_tables")[0] == "tables: sale, odd name, log, big"
    assert "gone 3" in see("describe_table", table="Log")[0]
    assert see("describe_table", table="audit")[1] == {"error": "unknown_table"}
    observation, info = see("run_sql", sql="COMMIT")
    assert observation.startswith("error: ") and info == {"error": "denied"}
    assert "SQLite" in env.instructions and env.sandboxed


def test_reward_is_the_final_state(env: ToolEnv, shop_file: Path) -> None:
    task = task_for(shop_file, "UPDATE sale SET n = 9 WHERE who = 'Bob'")
    assert submit(env, task, "UPDATE sale SET n = 9 WHERE id = 2") == (1.0, {"strict": True})
    there_and_back = ["UPDATE sale SET n = 9", "UPDATE sale SET n = 3 WHERE id = 1"]
    assert submit(env, task, *there_and_back) == (0.0, {"strict": False})
    assert submit(env, task, *there_and_back, "UPDATE sale SET n = NULL WHERE who IS NULL")[0] == 1
    assert submit(env, task) == (0.0, {"strict": False})
    extra = submit(env, task, *task.secret["statements"], "CREATE INDEX i ON sale (n)")
    assert extra == (1.0, {"strict": False})


@pytest.mark.parametrize(
    ("gold", "why"),
    [
        ("UPDATE sale SET n = 1 WHERE who = 'Nobody'", "change nothing"),
        ("DELETE FROM nope", "fail (sql_error): no such table: nope"),
        ("UPDATE sale SET n = random()", "fail (denied)"),
    ],
)
def test_gold_that_cannot_be_trusted_is_said(
    env: ToolEnv, shop_file: Path, gold: str, why: str
) -> None:
    assert why in submit(env, task_for(shop_file, gold), gold)[1]["suspect"]


def test_solution_and_mistakes(env: ToolEnv, shop_file: Path) -> None:
    gold = ("DELETE FROM audit", "UPDATE sale SET n = 9 WHERE who = 'Bob' AND id > 0")
    task = task_for(shop_file, *gold)
    solution = env.solution(task)
    assert [(a.tool, *a.arguments.values()) for a in solution] == [
        ("list_tables",),
        ("describe_table", "audit"),
        ("describe_table", "sale"),
        ("run_sql", gold[0]),
        ("run_sql", gold[1]),
        ("submit",),
    ]
    wrong = [
        (mistake.tool, *mistake.arguments.values()) for mistake in env.mistakes(task, solution[4])
    ]
    assert ("run_sql", "UPDATE sale SET n = 9") in wrong
    assert ("run_sql", "UPDATE sale SET n = 10 WHERE who = 'Bob' AND id > 0") in wrong
    assert ("run_sql", "UPDATE sale SET n = 9 WHERE who = 'Bob'") not in wrong  # right by chance
    assert wrong[-1] == ("submit",)
    tables = [a.arguments["table"] for a in env.mistakes(task, solution[1])]
    assert tables == ["odd name", "big", "audits"]
    assert env.mistakes(task, solution[0]) == env.mistakes(task, solution[-1]) == []


def test_wrong_writes() -> None:
    columns = {"sale": ["id", "who", "n"]}
    assert wrong_writes("UPDATE sale SET n = 1.25, who = 'Ann' WHERE id = 3", columns) == [
        "UPDATE sale SET n = 1.25, who = 'Ann'",
        "UPDATE sale SET who = 1.25, who = 'Ann' WHERE id = 3",
        "UPDATE sale SET n = 1.35, who = 'Ann' WHERE id = 3",
        "UPDATE sale SET n = 1.25, who = 'Ann' WHERE id = 4",
        "UPDATE sale SET n = 1.25, n = 'Ann' WHERE id = 3",
        "UPDATE sale SET n = 1.25, who = 'ann' WHERE id = 3",
    ]
    assert wrong_writes("INSERT INTO sale VALUES (7, '2024-02-29', 1)", columns) == [
        "INSERT INTO sale VALUES (8, '2024-02-29', 1)",
        "INSERT INTO sale VALUES (7, '2024-03-01', 1)",
        "INSERT INTO sale VALUES (7, '2024-02-29', 2)",
    ]
    assert wrong_writes("'", columns) == []


def test_bundled_tasks_are_many_and_disjoint_by_database() -> None:
    tasks = {split: edit_tasks(BUNDLED_EDITS, split, files=True) for split in ("train", "test")}
    groups = {split: {task.group for task in found} for split, found in tasks.items()}
    together = [task for found in tasks.values() for task in found]
    assert len(together) >= 40 and len({task.id.rpartition("-")[2] for task in together}) == 48
    assert not groups["train"] & groups["test"] and len(groups["train"] | groups["test"]) == 8
    assert edit_tasks(BUNDLED_EDITS, None, files=True)[0].split == "train"
    for task in together:
        statements = task.secret["statements"]
        assert Path(task.details["database"]).is_relative_to(BUNDLED)
        assert not any(sql.casefold() in task.prompt.casefold() for sql in statements)
        assert not re.search(r"\b(SELECT|UPDATE|INSERT|DELETE|WHERE|ALTER|CREATE)\b", task.prompt)
        with closing(sqlite3.connect(":memory:")) as copy:
            with closing(sqlite3.connect(task.details["database"])) as source:
                source.backup(copy)
            for sql in statements:
                assert ";" not in sql and copy.execute(sql).rowcount != 0, sql
            # A server enforces what SQLite only declares.
            assert copy.execute("PRAGMA foreign_key_check").fetchall() == []


def test_test_split_is_sound() -> None:
    env = make("database", split="test", sandbox="process")
    with closing(env):
        for task in env.tasks:
            assert submit(env, task, *task.secret["statements"]) == (1.0, {"strict": True})
            assert submit(env, task)[0] == 0.0


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"question": "?", "SQL": "x"}, "no field 'db_id'"),
        ({"db_id": "shop", "question": "?"}, "no field 'SQL'"),
        ({"db_id": "shop", "question": "?", "SQL": []}, "text or a list of texts"),
        ({"db_id": "shop", "question": "?", "SQL": ["x", 1]}, "text or a list of texts"),
        ({"db_id": "nope", "question": "?", "SQL": "x"}, "no database"),
    ],
)
def test_malformed_records_are_named(
    tmp_path: Path, shop_file: Path, record: dict[str, Any], why: str
) -> None:
    place = tmp_path / "dev_databases" / "shop" / "shop.sqlite"
    place.parent.mkdir(parents=True)
    place.write_bytes(shop_file.read_bytes())
    good = {"db_id": "shop", "question": "?", "SQL": ["DELETE FROM audit", "DELETE FROM sale"]}
    (tmp_path / "dev.json").write_text(json.dumps([good]))
    env = make("database", data=str(tmp_path), sandbox="process")
    with closing(env):
        (task,) = env.tasks
        assert (task.id, task.prompt, task.split) == ("database-dev-0", "?\nDatabase: shop", "dev")
        assert submit(env, task, *task.secret["statements"])[0] == 1.0
    (tmp_path / "dev.json").write_text(json.dumps([good, record]))
    with pytest.raises(DataError, match=rf"dev\.json: record 1: .*{why}"):
        edit_tasks(tmp_path, None, files=True)

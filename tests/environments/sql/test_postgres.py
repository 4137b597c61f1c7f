"""Writable tasks on a real Postgres server, started from the machine's own package."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from environments import Action, DataError, Task, ToolEnv, make
from environments.sql.editor import Unreadable
from environments.sql.postgres import guard
from environments.sql.postgres.editor import PostgresEditor
from environments.sql.postgres.server import SETTINGS
from sandbox import QueryLimits, SandboxError
from sandbox.errors import StateLost
from tests.support.editors import error, rows
from tests.support.parts import missing
from tests.support.postgres_server import PASSWORD, PostgresServer, binaries, running


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    programs = binaries()
    if programs is None:
        missing("postgres")
    with running(programs) as found:
        yield found


@pytest.fixture(scope="module")
def editor(server: PostgresServer) -> Iterator[PostgresEditor]:
    made = PostgresEditor(server.url, QueryLimits(seconds=0.5))
    yield made
    made.close()


@pytest.fixture
def shop(editor: PostgresEditor) -> PostgresEditor:
    """In the untouched state of `shop`."""
    editor.open("shop")
    return editor


@pytest.fixture(scope="module", params=["train", "test"])
def env(server: PostgresServer, request: pytest.FixtureRequest) -> Iterator[ToolEnv]:
    made = make("database", db=server.url, split=request.param)
    yield made
    made.close()


def test_bundled_solutions_earn_reward_one_and_noops_do_not(env: ToolEnv) -> None:
    for task in env.tasks:
        for actions, reward in ((env.solution(task), 1.0), (env.noop(task), 0.0)):
            env.reset(options={"task": task})
            *_, last = [env.step(action) for action in actions]
            assert last[1:3] == (reward, True), (task.id, last)
            assert last[4] == {"strict": reward == 1.0}


def test_bundled_mistakes_leave_another_state(env: ToolEnv) -> None:
    task = next(t for t in env.tasks if "UPDATE" in t.secret["statements"][0])
    *before, change, submit = env.solution(task)
    wrong = env.mistakes(task, change)
    assert len(wrong) > 1 and wrong == env.mistakes(task, change)
    for mistake in wrong:
        env.reset(options={"task": task})
        *_, last = [env.step(action) for action in [*before, mistake, submit]]
        assert last[1] == 0.0 and "suspect" not in last[4]


def test_tools_show_the_database_as_it_is(server: PostgresServer) -> None:
    env = make("database", db=server.url)
    secret = {"statements": ("DELETE FROM line",)}
    env.reset(options={"task": Task("t", "?", secret, {"database": "shop"}, group="shop")})

    def see(tool: str, **arguments: str) -> tuple[str, dict[str, Any]]:
        observation, reward, terminated, _, info = env.step(Action(tool, arguments))
        assert (reward, terminated) == (0.0, False)
        return observation, info

    try:
        assert see("list_tables") == ("tables: item, line", {})
        assert see("describe_table", table="LINE")[0].splitlines() == [
            "table line:",
            "  item_id integer -> item.id",
            "  qty integer",
            "sample rows:",
            "item_id | qty",
            "1       | 2",
            "2       | 5",
        ]
        assert see("run_sql", sql="SELECT name, made FROM item WHERE id = 2") == (
            "name | made\npen  | 0044-03-15 BC\n(1 row)",
            {"rows": 1},
        )
        assert see("run_sql", sql="UPDATE line SET qty = 9") == ("2 rows changed", {"changed": 2})
        assert see("run_sql", sql="ALTER TABLE line RENAME TO lines") == ("done", {})
        assert see("list_tables") == ("tables: item, lines", {})
        assert "Postgres" in env.instructions and not env.sandboxed
    finally:
        env.close()


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("COMMIT", "denied"),
        ("ROLLBACK TO w1", "denied"),
        ("SAVEPOINT w1", "denied"),
        ("SET statement_timeout = 0", "denied"),
        ("SELECT set_config('statement_timeout', '0', false)", "denied"),
        ("SELECT pg_sleep(5)", "denied"),
        ('SELECT "pg_sleep" /* x */ (5)', "denied"),
        ('SELECT U&"pg\\005fsleep"(5)', "denied"),
        ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity", "denied"),
        ("SELECT query FROM pg_stat_activity", "denied"),
        ("SELECT pg_advisory_lock(1)", "denied"),
        ("SELECT pg_read_file('/etc/passwd')", "denied"),
        ("SELECT lo_import('/etc/passwd')", "denied"),
        ("SELECT query_to_xml('select pg_sleep(5)', true, true, '')", "denied"),
        ("SELECT random()", "denied"),
        ("SELECT ctid FROM item", "denied"),
        ("SELECT nextval('item_id_seq')", "denied"),
        ("UPDATE pg_settings SET setting = '0'", "denied"),
        ("COPY item TO PROGRAM 'id'", "denied"),
        ("DO $$ BEGIN COMMIT; END $$", "denied"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "denied"),
        ("CREATE TEMP TABLE t (a int)", "denied"),
        ("/* /* */ SELECT */ DROP DATABASE shop", "denied"),
        ("-- SELECT\rVACUUM", "denied"),
        ("EXPLAIN ANALYZE DELETE FROM item", "denied"),
        ("", "denied"),
        ("SELECT 1; DROP TABLE line", "sql"),
        ("SELECT 'a\0b'", "sql"),
        ("SELECT '\ud800'", "sql"),
        ("SELECT 1) q; DROP TABLE line; --", "sql"),
        ("SELECT nope FROM item", "sql"),
        ("INSERT INTO item (id, name) VALUES (1, 'x')", "sql"),
        ("SELECT count(*) FROM generate_series(1, 100000000000)", "timeout"),
        ("SELECT repeat('x', 1000000000)", "timeout"),
        ("CREATE TABLE z AS SELECT repeat('x', 9000) FROM generate_series(1, 60000)", "timeout"),
    ],
)
def test_a_statement_that_is_refused_or_fails_leaves_no_trace(
    shop: PostgresEditor, sql: str, kind: str
) -> None:
    rows(shop, "UPDATE item SET n = 1 WHERE id = 1")
    before = shop.state()
    started = time.monotonic()
    wrong = error(shop, sql)
    assert wrong.startswith(kind) or (kind == "timeout" and wrong.startswith("too_big")), wrong
    assert time.monotonic() - started < 2
    assert shop.state() == before
    rows(shop, "INSERT INTO item (name) VALUES ('next')")
    assert rows(shop, "SELECT id, n FROM item WHERE id IN (1, 4)") == [("1", "1"), ("4", None)]


def test_every_volatile_function_of_the_server_is_refused(server: PostgresServer) -> None:
    query = (
        "SELECT DISTINCT lower(proname) FROM pg_proc WHERE provolatile = 'v'"
        " AND pronamespace = 'pg_catalog'::regnamespace"
    )
    with server.boss() as connection:
        names = {str(row[0]) for row in connection.execute(query)}
    assert len(names) > 100
    for name in names - guard.TRANSACTIONAL:
        for sql in (f"SELECT {name}(1)", f'SELECT "{name}" (1)', f"SELECT {name.upper()}--\n(1)"):
            assert guard.refusal(sql, names) is not None, sql


def test_comments_hide_no_statement() -> None:
    for sql in (
        "/* /* */ SELECT */ DROP DATABASE shop",
        "-- SELECT\rDROP DATABASE shop",
        "/* SELECT",
    ):
        assert guard.refusal(sql, ()) is not None
    assert guard.refusal("/* a /* b */ c */ -- d\n (SELECT 1)", ()) is None


def test_one_statement_may_not_fill_the_disk(server: PostgresServer) -> None:
    editor = PostgresEditor(server.url, QueryLimits(seconds=30))
    editor.open("shop")
    fill = "CREATE TABLE z AS SELECT repeat('x', 1000) FROM generate_series(1, 90000)"
    assert error(editor, fill).startswith("too_big: the statement adds more than")
    assert list(editor.layout()) == ["item", "line"]
    editor.close()


def test_one_cell_never_fills_our_memory(shop: PostgresEditor) -> None:
    found = shop.run("SELECT repeat('x', 3000000), 1 AS a, 2 AS a", max_rows=5, max_cell=20)
    assert found.result.rows == (("x" * 20 + "...", "1", "2"),)
    assert found.result.columns == ("repeat", "a", "a")
    many = shop.run("SELECT * FROM generate_series(1, 20000)", max_rows=2, max_cell=20).result
    assert (len(many.rows), many.total, many.more) == (2, 10_000, True)


def test_changed_rows_and_returned_rows(shop: PostgresEditor) -> None:
    returned = shop.run(
        "INSERT INTO item (name) SELECT 'i' || g FROM generate_series(1, 30) g RETURNING id;",
        max_rows=2,
        max_cell=20,
    )
    assert (returned.changed, returned.result.total) == (30, 30)
    assert returned.result.rows == (("10",), ("11",))  # in no order that was asked for: sorted
    assert shop.run("SELECT 1 INTO other", max_rows=1, max_cell=1).changed is None
    assert list(shop.layout()) == ["item", "line", "other"]


def test_savepoints_are_the_branches(shop: PostgresEditor) -> None:
    start, clean = shop.save(), shop.state()
    rows(shop, "INSERT INTO item (name) VALUES ('a')")
    one, after_one = shop.save(), shop.state()
    assert error(shop, "INSERT INTO item (name) VALUES ('a')").startswith("sql: duplicate")
    assert shop.save() == one
    rows(shop, "DROP TABLE line")
    two = shop.save()
    shop.back(one)
    assert shop.state() == after_one != clean
    with pytest.raises(StateLost):
        shop.back(two)
    rows(shop, "DELETE FROM line")
    with pytest.raises(StateLost):
        shop.back(two)
    shop.back(start)
    assert shop.state() == clean


def test_sequences_are_put_back(shop: PostgresEditor) -> None:
    start = shop.save()
    for _ in range(2):
        rows(shop, "INSERT INTO item (name) VALUES ('a')")
        assert error(shop, "INSERT INTO item (name) VALUES ('a')")
        middle = shop.save()
        for _ in range(2):
            assert rows(shop, "INSERT INTO item (name) VALUES ('b') RETURNING id") == [("5",)]
            shop.back(middle)
        shop.back(start)


def test_the_law_along_one_path(shop: PostgresEditor) -> None:
    """Random walks with rollback: a statement brings the same from the same state, always."""
    rng = random.Random(7)
    statements = [
        "INSERT INTO item (name, n) SELECT 'x' || count(*), max(n) FROM item RETURNING id, name",
        "INSERT INTO item (name) VALUES ('dup')",
        "UPDATE item SET n = coalesce(n, 0) + 1",
        "DELETE FROM item WHERE id = (SELECT max(id) FROM item)",
        "SELECT * FROM item",
        "ALTER TABLE item ADD COLUMN extra integer DEFAULT 3",
        "DELETE FROM line",
    ]
    known: dict[tuple[str, ...], Any] = {}
    path: list[tuple[Any, str]] = []
    for _ in range(400):
        if path and rng.random() < 0.3:
            at = rng.randrange(len(path))
            shop.back(path[at][0])
            del path[at:]
        sql = rng.choice(statements)
        path.append((shop.save(), sql))
        seen = shop.run(sql, max_rows=50, max_cell=50), shop.state()
        assert known.setdefault(tuple(s for _, s in path), seen) == seen
        if len(path) > 6:
            shop.back(path[0][0])
            path = []
    assert len(known) < 400


@pytest.mark.parametrize(
    ("left", "right", "equal", "strict"),
    [
        ((), (), True, True),
        (("UPDATE line SET qty = 7",), ("DELETE FROM line", "INSERT INTO line VALUES (2,7),(1,7)"),
         True, True),
        (("DELETE FROM line",), ("UPDATE line SET qty = 7",), False, False),
        (("INSERT INTO line VALUES (1, 2)",), (), False, False),
        (("ALTER TABLE line ALTER qty TYPE numeric(9,3)",), (), True, False),
        (("ALTER TABLE line DROP CONSTRAINT line_qty_check",
          "ALTER TABLE line ALTER qty TYPE text"), (), False, False),
        (("CREATE INDEX i ON line (qty)",), (), True, False),
        (("ALTER TABLE line RENAME qty TO q",), (), False, False),
        (("ALTER TABLE line RENAME TO lines",), (), False, False),
        (("CREATE VIEW v AS SELECT qty FROM line",), (), False, False),
        (("CREATE VIEW v AS SELECT 1 / 0 AS a",), ("CREATE VIEW v AS SELECT 1 AS a",), False,
         False),
        (("UPDATE item SET n = NULL WHERE n = 3",), ("UPDATE item SET n = 0 WHERE n = 3",), False,
         False),
    ],
)  # fmt: skip
def test_states_are_equal_as_their_values_are(
    shop: PostgresEditor, left: tuple[str, ...], right: tuple[str, ...], equal: bool, strict: bool
) -> None:
    one, other = shop.trial("shop", left).state, shop.trial("shop", right).state
    assert one is not None and other is not None
    assert (one.content == other.content, one == other) == (equal, strict)


def test_what_could_never_be_committed_has_no_state(shop: PostgresEditor) -> None:
    reference = "ADD FOREIGN KEY (item_id) REFERENCES item DEFERRABLE INITIALLY DEFERRED"
    rows(shop, f"ALTER TABLE line DROP CONSTRAINT line_item_id_fkey, {reference}")
    fine = shop.state()
    broken = shop.save()
    rows(shop, "INSERT INTO line VALUES (99, 1)")
    with pytest.raises(Unreadable, match="foreign key"):
        shop.state()
    assert rows(shop, "SELECT count(*) FROM line") == [("3",)]
    shop.back(broken)
    assert shop.state() == fine


def test_trials_do_not_disturb_the_agent(shop: PostgresEditor) -> None:
    rows(shop, "DELETE FROM line")
    state = shop.state()
    assert shop.trial("shop", ("DROP TABLE line",)).state != state
    failed = shop.trial("shop", ("DELETE FROM line", "DELETE FROM nope"))
    assert failed.state is None and failed.error is not None and "nope" in failed.error.message
    assert list(shop.fresh_layout("shop")) == ["item", "line"]
    assert shop.state() == state


def test_a_lost_connection_is_trouble_and_then_mended(
    server: PostgresServer, shop: PostgresEditor
) -> None:
    mark = shop.save()
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'treegraft%'"
    with server.boss() as connection:
        connection.execute(kill)
    with pytest.raises(SandboxError, match="Postgres"):
        shop.run("SELECT 1", max_rows=1, max_cell=1)
    with pytest.raises(StateLost):
        shop.back(mark)
    shop.open("shop")
    assert rows(shop, "SELECT count(*) FROM line") == [("2",)]


def test_databases_are_dropped_and_the_dead_ones_swept(server: PostgresServer) -> None:
    before = server.databases()
    program = (
        "import os\nfrom environments.sql.postgres.editor import PostgresEditor\n"
        f"editor = PostgresEditor({server.url!r})\n"
        "editor.open('shop')\neditor.trial('shop', ())\nos._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    left = server.databases() - before
    assert len(left) == 2
    deadline = time.monotonic() + 10
    while server.databases() & left and time.monotonic() < deadline:
        editor = PostgresEditor(server.url)
        editor.open("shop")
        assert len(server.databases() - before - left) == 1
        editor.close()
    assert server.databases() == before


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("boss:boss", "superuser"),
        ("reader:reader", "pg_read_server_files"),
        ("weak:weak", "CREATEDB"),
    ],
)
def test_a_role_that_does_not_fit_is_refused(server: PostgresServer, user: str, why: str) -> None:
    editor = PostgresEditor(f"postgres://{user}@/postgres?host={server.socket}")
    with pytest.raises(DataError, match=why):
        editor.open("shop")


def test_the_password_is_never_told(server: PostgresServer) -> None:
    for url in (f"postgres://a:{PASSWORD}%zz@host/x", f"nonsense://a:{PASSWORD}@h", PASSWORD):
        with pytest.raises(DataError) as wrong:
            make("database", db=url)
        assert PASSWORD not in str(wrong.value)
    host = f"/postgres?host={server.socket}"
    for url in (f"postgres://nobody:{PASSWORD}@{host}", f"postgres://a:{PASSWORD}@{host}/nowhere"):
        editor = PostgresEditor(url)
        with pytest.raises(SandboxError) as failed:
            editor.open("shop")
        assert PASSWORD not in str(failed.value) and "\n" not in str(failed.value)
    with pytest.raises(DataError, match="cannot copy the database 'no such'") as missing:
        PostgresEditor(server.url).open("no such")
    assert PASSWORD not in str(missing.value)


def test_a_missing_driver_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DataError, match=r"pip install 'treegraft\[postgres\]'"):
        make("database", db="postgres://a@b/c")
    assert SETTINGS["jit"] == "off"


def test_a_template_that_is_in_use_is_said(server: PostgresServer) -> None:
    other = psycopg.connect(server.url.replace("/postgres?", "/shop?"))
    with other, pytest.raises(SandboxError, match="others are connected"):
        PostgresEditor(server.url).open("shop")

"""The SQL environment's tools, its reward as BIRD's evaluator computes it, and its strict label."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environments import Action, Task, ToolEnv, make
from environments.sql.gold import is_ordered, tables_of
from tests.support.parts import DATA, needs_data

ROWS = [(1, "Ann", "ink", 3), (2, "Bob", "ink", 3), (3, "Ann", "pen", None), (4, None, "pen", 5)]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE sale (id INTEGER PRIMARY KEY, who TEXT, what TEXT, n INTEGER)")
    connection.executemany("INSERT INTO sale VALUES (?, ?, ?, ?)", ROWS)
    connection.execute("CREATE TABLE price (what TEXT, cents INTEGER)")
    connection.commit()
    connection.close()
    return path


@pytest.fixture(scope="module")
def env() -> Iterator[ToolEnv]:
    made = make("bird")
    yield made
    made.close()


def task_for(database: Path, gold: str) -> Task:
    return Task("t", "?", {"sql": gold}, {"database": str(database)}, group="shop")


def answer(
    env: ToolEnv, database: Path, gold: str, sql: str
) -> tuple[str, float, bool, dict[str, Any]]:
    env.reset(options={"task": task_for(database, gold)})
    observation, reward, terminated, _, info = env.step(Action("answer", {"sql": sql}))
    return observation, reward, terminated, info


def official_reward(database: Path, gold: str, sql: str) -> float:
    """BIRD's evaluation.py: both queries on one plain connection, rows compared as sets."""
    connection = sqlite3.connect(database)
    try:
        predicted = connection.execute(sql).fetchall()
        return float(set(predicted) == set(connection.execute(gold).fetchall()))
    except sqlite3.Error:
        return 0.0
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("gold", "sql", "reward", "strict"),
    [
        ("SELECT who FROM sale", "SELECT who FROM sale", 1, True),
        ("SELECT who FROM sale", "SELECT DISTINCT who FROM sale", 1, False),
        ("SELECT DISTINCT who FROM sale", "SELECT who FROM sale", 1, False),
        ("SELECT id FROM sale", "SELECT id FROM sale ORDER BY id DESC", 1, True),
        ("SELECT id FROM sale ORDER BY id", "SELECT id FROM sale ORDER BY id DESC", 1, False),
        ("SELECT id FROM sale ORDER BY id", "SELECT id FROM sale ORDER BY 1", 1, True),
        ("SELECT id, who FROM sale", "SELECT who, id FROM sale", 0, False),
        ("SELECT id FROM sale", "SELECT id, id FROM sale", 0, False),
        ("SELECT count(*) FROM sale", "SELECT 4.0", 1, True),
        ("SELECT count(*) FROM sale", "SELECT '4'", 0, False),
        ("SELECT who FROM sale WHERE id = 4", "SELECT NULL", 1, True),
        ("SELECT who FROM sale WHERE id = 4", "SELECT ''", 0, False),
        ("SELECT avg(n) FROM sale", "SELECT sum(n) / 3.0 FROM sale", 1, True),
        ("SELECT 0.1 + 0.2", "SELECT 0.3", 0, False),
        ("SELECT id AS a FROM sale", "SELECT id FROM sale -- all of them", 1, True),
        ("SELECT id FROM sale", "SELECT id FROM sale WHERE id > 1", 0, False),
    ],
)
def test_reward_is_birds_and_strict_is_stricter(
    env: ToolEnv, database: Path, gold: str, sql: str, reward: float, strict: bool
) -> None:
    observation, earned, terminated, info = answer(env, database, gold, sql)
    assert (observation, earned, terminated) == ("answer submitted", reward, True)
    assert info["strict"] is strict and "suspect" not in info
    assert earned == official_reward(database, gold, sql)


COLUMNS = st.lists(st.sampled_from(["id", "who", "what", "n", "n * 1.0"]), min_size=1, max_size=2)
WHERE = st.sampled_from(["", " WHERE n > 3", " WHERE n IS NULL", " WHERE what = 'ink'"])
TAIL = st.sampled_from(["", " ORDER BY 1", " ORDER BY 1 DESC", " LIMIT 2", " GROUP BY what", " ;"])
QUERY = st.builds(
    lambda distinct, columns, where, tail: (
        f"SELECT {distinct}{', '.join(columns)} FROM sale{where}{tail}"
    ),
    st.sampled_from(["", "DISTINCT "]),
    COLUMNS,
    WHERE,
    TAIL,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(QUERY, QUERY)
def test_reward_is_the_official_one(env: ToolEnv, database: Path, gold: str, sql: str) -> None:
    _, reward, _, info = answer(env, database, gold, sql)
    assert reward == official_reward(database, gold, sql)
    assert reward == 1.0 or not info["strict"]


@pytest.mark.parametrize(
    ("sql", "kind", "message"),
    [
        ("SELECT nope FROM sale", "sql_error", "no such column: nope"),
        ("DELETE FROM sale", "denied", "not authorized"),
        ("SELECT zeroblob(999999999)", "too_big", "too big"),
    ],
)
def test_a_query_that_fails_is_an_observation(
    env: ToolEnv, database: Path, sql: str, kind: str, message: str
) -> None:
    observation, reward, terminated, info = answer(env, database, "SELECT 1", sql)
    assert observation.startswith("error: ") and message in observation
    assert (reward, terminated, info["error"], info["strict"]) == (0.0, True, kind, False)
    env.reset(options={"task": task_for(database, "SELECT 1")})
    again, reward, terminated, _, info = env.step(Action("run_sql", {"sql": sql}))
    assert (again, reward, terminated, info["error"]) == (observation, 0.0, False, kind)


@pytest.mark.parametrize(
    ("gold", "why"),
    [
        ("SELECT nope FROM sale", "fails (sql_error): no such column: nope"),
        ("SELECT random()", "fails (denied)"),
        ("SELECT id FROM sale WHERE 0", "no rows"),
    ],
)
def test_a_gold_query_that_cannot_be_trusted_is_said(
    env: ToolEnv, database: Path, gold: str, why: str
) -> None:
    observation, reward, _, info = answer(env, database, gold, "SELECT id FROM sale")
    assert why in info["suspect"]
    assert (observation, reward) == ("answer submitted", 0.0)


def test_tools_show_the_database(env: ToolEnv, database: Path) -> None:
    env.reset(options={"task": task_for(database, "SELECT 1")})

    def see(tool: str, **arguments: str) -> tuple[str, dict[str, Any]]:
        observation, reward, terminated, _, info = env.step(Action(tool, arguments))
        assert (reward, terminated) == (0.0, False)
        return observation, info

    assert see("list_tables") == ("tables: sale, price", {})
    assert see("describe_table", table="SALE")[0].startswith("table sale:\n  id INTEGER, primary")
    assert see("describe_table", table="sales") == (
        "error: no table named 'sales'; the tables are: sale, price",
        {"error": "unknown_table"},
    )
    assert see("run_sql", sql="SELECT who, n, n FROM sale WHERE what = 'pen'") == (
        "who  | n    | n\nAnn  | NULL | NULL\nNULL | 5    | 5\n(2 rows)",
        {"rows": 2},
    )


def test_solution_looks_before_it_answers(env: ToolEnv, database: Path) -> None:
    gold = "SELECT count(*) FROM Price p JOIN (SELECT what FROM SALE) s ON s.what = p.what"
    solution = env.solution(task_for(database, gold))
    assert [(a.tool, *a.arguments.values()) for a in solution] == [
        ("list_tables",),
        ("describe_table", "price"),
        ("describe_table", "sale"),
        ("run_sql", gold),
        ("answer", gold),
    ]


def test_mistakes_of_tables(env: ToolEnv, database: Path) -> None:
    task = task_for(database, "SELECT count(*) FROM sale")
    wrong = env.mistakes(task, env.solution(task)[1])
    assert [action.arguments["table"] for action in wrong] == ["price", "sales"]
    assert env.mistakes(task, env.solution(task)[0]) == []


def test_mistakes_that_would_be_right_are_left_out(env: ToolEnv, database: Path) -> None:
    task = task_for(database, "SELECT who FROM sale WHERE id > 0")
    wrong = [a.arguments["sql"] for a in env.mistakes(task, env.solution(task)[-1])]
    assert "SELECT what FROM sale WHERE id > 0" in wrong
    assert "SELECT who FROM sale" not in wrong


@pytest.mark.parametrize(
    ("sql", "ordered"),
    [
        ("SELECT a FROM t ORDER BY a LIMIT 1", True),
        ("SELECT a FROM t UNION SELECT b FROM u ORDER BY 1", True),
        ("WITH x AS (SELECT 1 ORDER BY 1) SELECT * FROM x", False),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a)", False),
        ("SELECT rank() OVER (ORDER BY a) FROM t", False),
        ("SELECT 'order by' FROM t", False),
        ("SELECT FROM ) WHERE (a (b)) ORDER  BY a", True),  # sqlglot cannot read these two
        ("SELECT FROM ) WHERE 'order by' IN (SELECT a ORDER BY a)", False),
    ],
)
def test_is_ordered(sql: str, ordered: bool) -> None:
    assert is_ordered(sql) is ordered


def test_tables_of() -> None:
    known = ["Stop", "ride", "rider"]
    assert tables_of('SELECT stop FROM ride JOIN [Rider] r, "stop" s', known) == [
        "ride",
        "rider",
        "Stop",
    ]
    assert tables_of("WITH x AS (SELECT 1 FROM rider) SELECT * FROM x", known) == ["rider"]
    assert tables_of("SELECT FROM ) ride, 'x", known) == ["ride"]


@needs_data
@pytest.mark.parametrize(
    ("name", "split", "count", "empty"), [("bird", "dev", 64, 0), ("spider", "dev", 523, 38)]
)
def test_real_gold_queries_pass(name: str, split: str, count: int, empty: int) -> None:
    env = make(name, data=str(DATA / name), split=split)
    suspects = []
    try:
        for task in env.tasks:
            env.reset(options={"task": task})
            for action in env.solution(task):
                observation, reward, terminated, _, info = env.step(action)
                assert "error" not in info, (task.id, observation)
            assert (reward, terminated, info["strict"]) == (1.0, True, True), task.id
            suspects += [task.id] * ("suspect" in info)
    finally:
        env.close()
    assert (len(env.tasks), len(suspects)) == (count, empty)


def test_what_is_seen_is_json(env: ToolEnv, database: Path) -> None:
    info = answer(env, database, "SELECT 1", "SELECT 1")[3]
    assert json.loads(json.dumps(info)) == info == {"strict": True, "rows": 1}


GOLD = "SELECT COUNT(*) FROM sale"


@pytest.mark.parametrize(
    "form",
    [
        "```sql\n{}\n```",
        "```\n{};\n```\n",
        "~~~sql\n{}\n~~~",
        "It counts them:\n\n```sql\n{}\n```\n\nThat is all.",
        "```SQL\r\n{}\r\n```",
        "```sql {}```",
        "```sql\n{}",
        "{}\n```",
        "`{}`",
        "The query is `{}`.",
    ],
)
def test_a_query_in_markdown_is_unwrapped(env: ToolEnv, database: Path, form: str) -> None:
    assert answer(env, database, GOLD, form.format(GOLD))[1:3] == (1.0, True)
    env.reset(options={"task": task_for(database, GOLD)})
    seen = [env.step(Action("run_sql", {"sql": sql}))[0] for sql in (GOLD, form.format(GOLD))]
    assert seen[0] == seen[1] and "error" not in seen[0]


def test_a_fence_within_a_query_is_left_alone(env: ToolEnv, database: Path) -> None:
    query = "SELECT '```sql\n1\n```' FROM sale LIMIT 1"
    assert answer(env, database, query, query)[1] == 1.0


@pytest.mark.parametrize("said", ["", " ", "There are 7.", "```\nNo idea\n```", "I'd select it."])
def test_an_answer_without_sql_may_be_sent_again(env: ToolEnv, database: Path, said: str) -> None:
    observation, reward, terminated, info = answer(env, database, GOLD, said)
    assert "no SQL statement" in observation and (reward, terminated) == (0.0, False)
    assert info == {"error": "bad_arguments"}
    assert env.step(Action("answer", {"sql": GOLD}))[1:3] == (1.0, True)

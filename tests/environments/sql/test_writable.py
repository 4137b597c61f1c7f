"""Writable tasks on SQLite: their tools, what is graded, solutions, mistakes, and the tasks."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from environments import Action, DataError, Task, ToolEnv, make
from environments.sql.mistakes.wrong_writes import wrong_writes
from environments.sql.tasks.edit_tasks import BUNDLED_EDITS, edit_tasks
from environments.sql.tasks.formats import BUNDLED
from tests.support.editors import write_shop


@pytest.fixture(scope="module")
def shop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop") / "shop.sqlite")


@pytest.fixture(scope="module")
def env() -> Iterator[ToolEnv]:
    made = make("database", sandbox="process")
    yield made
    made.close()


def task_for(database: Path, *gold: str) -> Task:
    return Task("t", "?", {"statements": gold}, {"database": str(database)}, group="shop")


def submit(env: ToolEnv, task: Task, *statements: str) -> tuple[float, dict[str, Any]]:
    env.reset(options={"task": task})
    for sql in statements:
        assert not env.step(Action("run_sql", {"sql": sql}))[2]
    observation, reward, terminated, _, info = env.step(Action("submit", {}))
    assert (observation, terminated) == ("database submitted", True)
    return reward, info


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
        edit_tasks(tmp_path, None, files=True, strict=True)

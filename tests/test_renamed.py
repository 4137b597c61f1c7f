"""Databases under other names: what is asked, and what comes of it, stays the same."""

import json
import random
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from environments import DataError, ToolEnv, make
from environments.sql.mistakes.tokens import names_replaced
from environments.sql.tasks.formats import BUNDLED
from examples.renamed import THINGS, Renaming, Wanted, draw, rename

TABLES = {"members": ["member_id", "full_name", "joined_on"], "loans": ["loan_id", "member_id"]}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the bundled databases."""
    source = tmp_path_factory.mktemp("source")
    records = json.loads((BUNDLED / "train.json").read_text("utf-8"))
    groups = ("symphony", "town_library")
    for group in groups:
        shutil.copytree(BUNDLED / "train_databases" / group, source / "train_databases" / group)
    kept = [record for record in records if record["db_id"] in groups]
    (source / "train.json").write_text(json.dumps(kept), "utf-8")
    return source


@pytest.fixture(scope="module")
def folder(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As they are and in two copies."""
    target = tmp_path_factory.mktemp("target")
    assert rename(source, "train", target, Wanted(copies=2)) == 240
    return target


@pytest.fixture(scope="module")
def env(folder: Path) -> Iterator[ToolEnv]:
    made = make("bird", data=str(folder), schema="prompt")
    yield made
    made.close()


def rows(env: ToolEnv, number: int) -> set[tuple[object, ...]]:
    task = env.tasks[number]
    connection = sqlite3.connect(task.details["database"])
    try:
        return set(connection.execute(task.secret["sql"]).fetchall())
    finally:
        connection.close()


def test_every_copy_brings_the_same_rows_for_other_queries(env: ToolEnv) -> None:
    for number in range(80):
        copies = [number, number + 80, number + 160]
        assert rows(env, copies[0]) == rows(env, copies[1]) == rows(env, copies[2])
        assert len({env.tasks[copy].secret["sql"] for copy in copies}) > 1


def test_copies_alone_are_those_beside_the_originals(
    source: Path, folder: Path, tmp_path: Path
) -> None:
    assert rename(source, "train", tmp_path, Wanted(copies=1, originals=False)) == 80
    assert not (tmp_path / "train_databases" / "symphony").exists()
    alone, beside = (json.loads((at / "train.json").read_text()) for at in (tmp_path, folder))
    assert [one["SQL"] for one in alone] == [one["SQL"] for one in beside[80:160]]


def test_each_copy_has_other_tasks(source: Path, tmp_path: Path) -> None:
    assert rename(source, "train", tmp_path, Wanted(copies=2, per_database=3)) == 18
    drawn = json.loads((tmp_path / "train.json").read_text())
    assert len({one["SQL"] for one in drawn}) > 9  # of one draw there would be 6 queries


def test_neither_schema_nor_question_holds_a_tables_old_name(env: ToolEnv) -> None:
    for task in env.tasks[80:]:
        shown = task.prompt.rpartition("\nDatabase:")[0].lower()
        shown = re.sub(r"\[[^]]*\]", "", shown)  # what values mean is said in the old words
        for name in ("musician", "concert", "composer", "author", "book", "member"):
            assert name not in shown, task.prompt


def test_the_solutions_solve(env: ToolEnv) -> None:
    for task in env.tasks[80::15]:
        env.reset(options={"task": task})
        (answer,) = env.solution(task)
        assert env.step(answer)[1] == 1.0


def test_keys_and_notes_follow_their_columns(env: ToolEnv) -> None:
    before, after = (
        [line.count(" -> ") for line in env.tasks[at].prompt.split("\n\n")[0].splitlines()]
        for at in (0, 80)
    )
    assert before == after and sum(before) > 3
    notes = [env.tasks[at].prompt.split("\n\n")[0].count("[") for at in (0, 80)]
    assert notes[0] == notes[1] > 10


def test_one_seed_one_renaming() -> None:
    drawn = [draw(TABLES, "", random.Random(seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(len({name.lower() for name in one.names.values()}) == 6 for one in drawn)


def test_a_table_does_not_become_what_is_spoken_of() -> None:
    said = " ".join(thing for thing in THINGS if thing not in ("lamp", "robot"))
    assert {draw(TABLES, said, random.Random(n)).words["loan"] for n in range(9)} == {
        "lamp",
        "robot",
    }


def test_questions_keep_their_capitals_and_hints_name_columns() -> None:
    new = Renaming({"loan": "lamp", "loans": "lamps"}, {"loans": "Lamps", "due_on": "DueOn"})
    assert new.question("Loans of May: which loan is due_on time?").startswith("Lamps of May: ")
    assert new.evidence("a late loan refers to due_on < '2024'; loans refers to loans") == (
        "a late lamp refers to DueOn < '2024'; lamps refers to Lamps"
    )


def test_texts_and_functions_of_a_query_stay() -> None:
    sql = "SELECT COUNT(*), count FROM Loans AS l WHERE l.kind = 'count' -- loans"
    new = names_replaced(sql, {"count": "n", "loans": "lamps", "kind": '"of what"'})
    assert new == "SELECT COUNT(*), n FROM lamps AS l WHERE l.\"of what\" = 'count' -- loans"


def test_a_database_that_cannot_be_renamed(tmp_path: Path) -> None:
    source = tmp_path / "source" / "train_databases" / "odd"
    source.mkdir(parents=True)
    connection = sqlite3.connect(source / "odd.sqlite")
    connection.executescript("CREATE TABLE a (b); CREATE VIEW v AS SELECT absent FROM nowhere;")
    connection.close()
    record = {"db_id": "odd", "question": "How many?", "SQL": "SELECT COUNT(*) FROM a"}
    (tmp_path / "source" / "train.json").write_text(json.dumps([record]), "utf-8")
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(DataError, match="odd: cannot be renamed: .*nowhere"):
        rename(tmp_path / "source", "train", target, Wanted(copies=1))

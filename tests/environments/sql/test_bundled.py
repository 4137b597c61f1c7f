"""The bundled SQL task set: files match their generators, and every question can be answered."""

import csv
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

import tools.bundled.sql as bundled
from environments.sql.tasks.formats import BUNDLED
from tools.bundled.sql.build import HEADER, Source, db_id, write

DATA = BUNDLED
DATABASES = [(split, source) for split, sources in bundled.DATABASES.items() for source in sources]
DIFFICULTIES = ("simple", "moderate", "challenging")
KEYS = {"question_id", "db_id", "question", "evidence", "SQL", "difficulty"}
LARGEST = 120_000
SLOWEST = 0.1
WRITTEN_BY = (3, 40)
"""The SQLite of the committed files; another may lay out equal rows in other bytes."""


def committed(split: str, db: str) -> Path:
    return DATA / f"{split}_databases" / db / f"{db}.sqlite"


def questions(split: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((DATA / f"{split}.json").read_text())
    return loaded


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def tables(path: Path) -> list[str]:
    return [name for (name,) in query(path, "SELECT name FROM sqlite_master WHERE type = 'table'")]


def columns(path: Path, table: str) -> list[str]:
    return [row[1] for row in query(path, f"PRAGMA table_info({table})")]


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def beyond(sql: str) -> Iterator[tuple[int, str]]:
    """For a query with LIMIT n: n, and the query of its sort keys with one row more."""
    tree = sqlglot.parse_one(sql, dialect="sqlite")
    assert isinstance(tree, exp.Select)
    if limit := tree.args.get("limit"):
        rows = int(limit.expression.this)
        keys = [ordered.this.copy() for ordered in tree.args["order"].expressions]
        yield rows, tree.select(*keys, append=False).limit(rows + 1).sql(dialect="sqlite")


every_database = pytest.mark.parametrize(
    ("split", "source"), DATABASES, ids=[db_id(source) for _, source in DATABASES]
)
every_question = pytest.mark.parametrize(
    ("split", "question"),
    [(split, question) for split in bundled.DATABASES for question in questions(split)],
    ids=lambda value: value if isinstance(value, str) else f"{value['question_id']}",
)


@every_database
def test_generator_gives_the_committed_files(split: str, source: Source, tmp_path: Path) -> None:
    path, kept = write(source, tmp_path), committed(split, db_id(source))
    assert dump(path) == dump(kept)
    if sqlite3.sqlite_version_info[:2] == WRITTEN_BY:
        assert path.read_bytes() == kept.read_bytes()
    made = {file.name: file.read_bytes() for file in path.parent.rglob("*.csv")}
    assert made == {file.name: file.read_bytes() for file in kept.parent.rglob("*.csv")}
    first = path.read_bytes()
    assert write(source, tmp_path).read_bytes() == first, "writing again changed it"


@every_database
def test_database_is_rich_and_small(split: str, source: Source) -> None:
    path = committed(split, db_id(source))
    assert path.stat().st_size < LARGEST
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
    assert query(path, "PRAGMA foreign_key_check") == []
    names = tables(path)
    assert 4 <= len(names) <= 6
    keys = {name: len(query(path, f"PRAGMA foreign_key_list({name})")) for name in names}
    assert any(count >= 2 for count in keys.values())
    for name in names:
        ((rows,),) = query(path, f"SELECT COUNT(*) FROM {name}")
        assert 15 <= rows <= 250, name
    nulls = " OR ".join(
        f"EXISTS (SELECT 1 FROM {name} WHERE {column} IS NULL)"
        for name in names
        for column in columns(path, name)
    )
    assert query(path, f"SELECT {nulls}") == [(1,)]


@every_database
def test_descriptions_cover_exactly_the_columns(split: str, source: Source) -> None:
    path = committed(split, db_id(source))
    folder = path.parent / "database_description"
    assert {file.stem for file in folder.iterdir()} == set(tables(path))
    for file in folder.iterdir():
        with file.open(newline="") as lines:
            head, *rows = csv.reader(lines)
        assert ",".join(head) + "\n" == HEADER
        assert [row[0] for row in rows] == columns(path, file.stem)
        assert {len(row) for row in rows} == {len(head)}, file


@every_question
def test_gold_answers_its_question(split: str, question: dict[str, Any]) -> None:
    assert question.keys() == KEYS
    assert question["difficulty"] in DIFFICULTIES
    path, sql = committed(split, question["db_id"]), question["SQL"]
    assert ";" not in sql
    started = perf_counter()
    rows = query(path, sql)
    assert perf_counter() - started < SLOWEST
    assert rows
    assert any(value is not None for row in rows for value in row)
    assert query(path, sql) == rows
    for limit, keys in beyond(sql):
        sorted_by = query(path, keys)
        assert len(sorted_by) == limit + 1
        assert len(set(sorted_by)) == limit + 1, "a tie: the question has two right answers"


@every_question
def test_question_does_not_give_the_gold_away(split: str, question: dict[str, Any]) -> None:
    text = f"{question['question']} {question['evidence']}"
    assert question["SQL"].casefold() not in text.casefold()
    assert not re.search(r"\b(SELECT|FROM|JOIN|GROUP BY|ORDER BY)\b", text)
    assert question["question"] == question["question"].strip() != ""


def test_splits_are_large_varied_and_disjoint() -> None:
    asked = {split: questions(split) for split in bundled.DATABASES}
    for split, sources in bundled.DATABASES.items():
        assert {question["db_id"] for question in asked[split]} == {db_id(s) for s in sources}
        folders = (DATA / f"{split}_databases").iterdir()
        assert {folder.name for folder in folders} == {db_id(s) for s in sources}
    together = [question for split in asked.values() for question in split]
    assert not {q["db_id"] for q in asked["train"]} & {q["db_id"] for q in asked["test"]}
    assert len({q["question_id"] for q in together}) == len(together) >= 150
    per_database = Counter((q["db_id"], q["difficulty"]) for q in together)
    assert len({q["db_id"] for q in together}) >= 4
    for database in {q["db_id"] for q in together}:
        counts = [per_database[database, difficulty] for difficulty in DIFFICULTIES]
        assert min(counts) >= 5 and counts == sorted(counts, reverse=True), database
    for part in ("question", "SQL"):
        seen = Counter((q["db_id"], " ".join(q[part].casefold().split())) for q in together)
        assert seen.most_common(1)[0][1] == 1, f"{part} twice in a database"

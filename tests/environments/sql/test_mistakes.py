"""Wrong versions of a query: one edit each, the rest of the text untouched."""

import json
import sqlite3
from pathlib import Path

import pytest

from environments.sql.mistakes.wrong_queries import wrong_queries

COLUMNS = {"rider": ["id", "name", "birth year"], "ride": ["id", "rider_id", "km"]}
BUNDLED = Path(__file__).parents[3] / "environments" / "sql" / "data"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT name FROM rider", ['SELECT "birth year" FROM rider']),
        ("SELECT `name` FROM rider", ["SELECT `birth year` FROM rider"]),
        (
            "select T2.id from rider as T1 join ride as T2 on T1.id=T2.rider_id",
            ["select T2.rider_id from rider as T1 join ride as T2 on T1.id=T2.rider_id"],
        ),
        (
            "SELECT km  FROM ride WHERE km BETWEEN 1 AND 5 AND rider_id >= 7;",
            [
                "SELECT id  FROM ride WHERE km BETWEEN 1 AND 5 AND rider_id >= 7;",
                "SELECT km  FROM ride WHERE km BETWEEN 1 AND 5;",
                "SELECT km  FROM ride WHERE km BETWEEN 2 AND 5 AND rider_id >= 7;",
                "SELECT km  FROM ride;",
                "SELECT km  FROM ride WHERE km BETWEEN 1 AND 6 AND rider_id >= 7;",
                "SELECT km  FROM ride WHERE km BETWEEN 1 AND 5 AND rider_id > 7;",
                "SELECT km  FROM ride WHERE km BETWEEN 1 AND 5 AND rider_id >= 8;",
            ],
        ),
        (
            "SELECT COUNT(DISTINCT km) FROM ride",
            [
                "SELECT COUNT(DISTINCT id) FROM ride",
                "SELECT SUM(DISTINCT km) FROM ride",
                "SELECT COUNT(km) FROM ride",
            ],
        ),
        ("SELECT count(*) FROM ride", ["SELECT * FROM ride"]),
        (
            "SELECT id FROM ride GROUP BY id HAVING count(*) > 2",
            [
                "SELECT rider_id FROM ride GROUP BY id HAVING count(*) > 2",
                "SELECT id FROM ride GROUP BY id",
                "SELECT id FROM ride GROUP BY id HAVING count(*) >= 2",
                "SELECT id FROM ride GROUP BY id HAVING count(*) > 3",
            ],
        ),
        (
            "SELECT 1 FROM ride WHERE rider_id IN (SELECT id FROM rider WHERE name = 'Ann')",
            [
                "SELECT 1 FROM ride WHERE rider_id IN (SELECT name FROM rider WHERE name = 'Ann')",
                "SELECT 1 FROM ride",
                "SELECT 1 FROM ride WHERE rider_id IN (SELECT id FROM rider)",
                "SELECT 1 FROM ride WHERE rider_id IN (SELECT id FROM rider WHERE name = 'ann')",
            ],
        ),
        (
            "SELECT 1 FROM ride ORDER BY km DESC LIMIT 1",
            [
                "SELECT 1 FROM ride ORDER BY km DESC LIMIT 2",
                "SELECT 1 FROM ride LIMIT 1",
                "SELECT 1 FROM ride ORDER BY km LIMIT 1",
                "SELECT 1 FROM ride ORDER BY km DESC",
            ],
        ),
        ("SELECT 'open", []),
        ("", []),
    ],
)
def test_wrong_queries(sql: str, expected: list[str]) -> None:
    assert sorted(wrong_queries(sql, COLUMNS)) == sorted(expected)


def test_kinds_take_turns() -> None:
    sql = "SELECT id, name FROM rider WHERE id > 2"
    assert wrong_queries(sql, COLUMNS)[:3] == [
        'SELECT "birth year", name FROM rider WHERE id > 2',
        "SELECT id, name FROM rider",
        "SELECT id, name FROM rider WHERE id >= 2",
    ]


def test_wrong_versions_of_the_bundled_queries_are_sql() -> None:
    """Nearly all run: a wrong query should be wrong in what it asks, not in its grammar."""
    failed, total = [], 0
    for record in json.loads((BUNDLED / "train.json").read_text()):
        path = BUNDLED / "train_databases" / record["db_id"] / f"{record['db_id']}.sqlite"
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        columns = {
            table.lower(): [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
            for (table,) in tables.fetchall()
        }
        for wrong in wrong_queries(record["SQL"], columns)[:4]:
            total += 1
            try:
                connection.execute(wrong).fetchone()
            except sqlite3.Error as error:
                failed.append((wrong, error))
        connection.close()
    assert total > 500 and len(failed) < total / 50, failed[:3]

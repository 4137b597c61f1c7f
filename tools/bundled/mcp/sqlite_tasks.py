"""Tasks of the server for SQLite: count, change rows, add a row, sum by a join."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.bundled.mcp.task import call, task, wrong

SERVER = {
    "command": "mcp-server-sqlite",
    "args": ["--db-path", "{work}/data.db"],
    "state": "folder",
    # The memo of insights lies in the server's memory, and no task needs it.
    "hidden": ["append_insight"],
}


@dataclass(frozen=True)
class Theme:
    """Two tables: things with a group and a number, and entries that refer to them."""

    name: str
    table: str
    kind: str
    number: str
    rows: tuple[tuple[str, str, int], ...]
    entries: str
    amounts: tuple[tuple[int, int], ...]
    new: tuple[str, str, int]


THEMES = [
    Theme(
        "bakery", "products", "sort", "price",
        (("rye", "bread", 4), ("baguette", "bread", 2), ("muffin", "cake", 3), ("tart", "cake", 6)),
        "sales", ((1, 3), (2, 10), (1, 2), (4, 1), (3, 7)), ("pretzel", "bread", 1),
    ),
    Theme(
        "fleet", "trucks", "depot", "tons",
        (("T1", "north", 12), ("T2", "north", 8), ("T3", "south", 20), ("T4", "south", 7)),
        "trips", ((1, 120), (1, 80), (3, 300), (2, 45), (4, 60)), ("T5", "north", 15),
    ),
    Theme(
        "clinic", "doctors", "ward", "rooms",
        (("Abel", "eyes", 2), ("Chen", "eyes", 3), ("Diaz", "heart", 4), ("Eriksen", "heart", 1)),
        "visits", ((1, 15), (2, 20), (3, 40), (3, 30), (4, 10)), ("Farah", "heart", 2),
    ),
    Theme(
        "orchestra", "players", "section", "years",
        (("Gil", "strings", 5), ("Hanne", "strings", 11), ("Ito", "brass", 2), ("Ja", "brass", 9)),
        "concerts", ((1, 4), (2, 6), (2, 3), (3, 8), (4, 5)), ("Kemal", "brass", 1),
    ),
]  # fmt: skip
NAMES = [theme.name for theme in THEMES]


def tasks() -> Iterator[dict[str, Any]]:
    """Yield the tasks."""
    for theme in THEMES:
        for made in (_count, _update, _insert, _join):
            kind = made.__name__.strip("_")
            setup = _setup(theme)
            yield task("sqlite", theme.name, kind, NAMES, setup=setup, **made(theme))


def _setup(theme: Theme) -> str:
    key = "id INTEGER PRIMARY KEY"
    rows = f"{key}, name TEXT, {theme.kind} TEXT, {theme.number} INTEGER"
    entries = f"{key}, {theme.table[:-1]}_id INTEGER, amount INTEGER"
    into = f"INSERT INTO {theme.table} (name, {theme.kind}, {theme.number}) VALUES (?, ?, ?)"
    also = f"INSERT INTO {theme.entries} ({theme.table[:-1]}_id, amount) VALUES (?, ?)"
    script = f"""\
import sqlite3
db = sqlite3.connect("data.db")
db.execute("CREATE TABLE {theme.table} ({rows})")
db.executemany("{into}", {list(theme.rows)!r})
db.execute("CREATE TABLE {theme.entries} ({entries})")
db.executemany("{also}", {list(theme.amounts)!r})
db.commit()
"""
    return f"python3 - <<'END'\n{script}END\n"


def _check(theme: Theme, rows: list[tuple[str, str, int]]) -> str:
    query = f"SELECT name, {theme.kind}, {theme.number} FROM {theme.table}"
    return (
        "import sqlite3\ndb = sqlite3.connect('data.db')\n"
        f"rows = db.execute('{query}').fetchall()\n"
        f"assert sorted(rows) == {sorted(rows)!r}, rows\n"
        f"entries = db.execute('SELECT * FROM {theme.entries}').fetchall()\n"
        f"assert len(entries) == {len(theme.amounts)}\n"
    )


def _look(theme: Theme) -> dict[str, Any]:
    return call("describe_table", "See its columns.", table_name=theme.table)


def _count(theme: Theme) -> dict[str, Any]:
    kind, least = theme.rows[0][1], min(row[2] for row in theme.rows)
    found = sum(1 for row in theme.rows if row[2] > least)
    query = f"SELECT COUNT(*) FROM {theme.table} WHERE {theme.number} > {least}"
    return {
        "prompt": f"The database has a table {theme.table}. How many of its rows have more than "
        f"{least} in the column '{theme.number}'? Answer with the number.",
        "answer": found,
        "solution": [_look(theme), call("read_query", "Count them.", query=query)],
        "mistakes": [
            wrong(1, "read_query", "Count them.", query=query.replace(">", ">=")),
            wrong(1, "read_query", "Count them.", query=f"{query} AND {theme.kind} = '{kind}'"),
            wrong(2, "finish", "That is the number.", answer=len(theme.rows)),
        ],
    }


def _update(theme: Theme) -> dict[str, Any]:
    kind = theme.rows[0][1]
    rows = [(name, group, n + 1 if group == kind else n) for name, group, n in theme.rows]
    query = f"UPDATE {theme.table} SET {theme.number} = {theme.number} + 1"
    where = f" WHERE {theme.kind} = '{kind}'"
    return {
        "prompt": f"In the table {theme.table} of the database, raise '{theme.number}' by 1 in "
        f"every row whose '{theme.kind}' is '{kind}'.",
        "check": _check(theme, rows),
        "solution": [_look(theme), call("write_query", "Only these rows.", query=query + where)],
        "mistakes": [
            wrong(1, "write_query", "Raise it.", query=query),
            wrong(1, "write_query", "Raise it.", query=query.replace("+ 1", "= 1") + where),
            wrong(1, "read_query", "Raise it.", query=query + where),
        ],
    }


def _insert(theme: Theme) -> dict[str, Any]:
    name, kind, number = theme.new
    columns = f"(name, {theme.kind}, {theme.number})"
    query = f"INSERT INTO {theme.table} {columns} VALUES ('{name}', '{kind}', {number})"
    return {
        "prompt": f"Add a row to the table {theme.table} of the database: name '{name}', "
        f"'{theme.kind}' '{kind}', '{theme.number}' {number}.",
        "check": _check(theme, [*theme.rows, theme.new]),
        "solution": [_look(theme), call("write_query", "The id comes by itself.", query=query)],
        "mistakes": [
            wrong(1, "write_query", "Add it.", query=query.replace(f" {columns}", "")),
            wrong(1, "write_query", "Add it.", query=query.replace(f"{number})", f"{number + 1})")),
        ],
    }


def _join(theme: Theme) -> dict[str, Any]:
    kind, key = theme.rows[0][1], f"{theme.table[:-1]}_id"
    found = sum(amount for at, amount in theme.amounts if theme.rows[at - 1][1] == kind)
    join = f"SELECT SUM(e.amount) FROM {theme.entries} e JOIN {theme.table} t ON t.id = e.{key}"
    where = f" WHERE t.{theme.kind} = '{kind}'"
    return {
        "prompt": f"The rows of the table {theme.entries} of the database refer to {theme.table} "
        f"by '{key}'. What is the sum of 'amount' over those whose {theme.table[:-1]} has the "
        f"'{theme.kind}' '{kind}'? Answer with the number.",
        "answer": found,
        "solution": [
            call("list_tables", "See which tables there are."),
            call("read_query", "Join them.", query=join + where),
        ],
        "mistakes": [
            wrong(1, "read_query", "Join them.", query=join),
            wrong(
                1,
                "read_query",
                "Join them.",
                query=join.replace("SUM(e.amount)", "COUNT(*)") + where,
            ),
            wrong(2, "finish", "That is it.", answer=sum(amount for _, amount in theme.amounts)),
        ],
    }

"""Properties of a gold query that sqlglot finds without running it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

PLAIN = ("main", "public")
"""Schemas whose tables a layout lists without them."""


def parse(sql: str, dialect: str = "sqlite") -> exp.Expression | None:
    """Return the query's tree; None if sqlglot cannot parse it."""
    try:
        found = sqlglot.parse_one(sql, read=dialect)
    except (SqlglotError, RecursionError):
        return None
    return found if isinstance(found, exp.Expression) else None


@lru_cache(4096)  # a task is answered many times, and parsing takes longer than its query
def is_ordered(sql: str, dialect: str = "sqlite") -> bool:
    """Return whether the whole result is ordered, by an ORDER BY outside all parentheses."""
    tree = parse(sql, dialect)
    if tree is not None:
        return tree.args.get("order") is not None
    bare = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", "", sql)
    while (inner := re.sub(r"\([^()]*\)", "", bare)) != bare:
        bare = inner
    return re.search(r"\border\s+by\b", bare, re.IGNORECASE) is not None


def tables_of(sql: str, known: Iterable[str], dialect: str = "sqlite") -> list[str]:
    """Return the tables of `known` that `sql` reads, in their order of appearance."""
    by_name = {name.lower(): name for name in known}
    tree = parse(sql, dialect)
    if tree is not None:
        nodes = sorted(tree.find_all(exp.Table), key=lambda node: node.this.meta.get("start", 0))
        names = [name for node in nodes for name in _spellings(node)]
    else:
        names = re.findall(r"\w+", sql.lower())
    by_last = _by_last_part(by_name)
    found = (by_name.get(name) or by_last.get(name) for name in dict.fromkeys(names))
    return list(dict.fromkeys(filter(None, found)))


def _by_last_part(by_name: Mapping[str, str]) -> dict[str, str]:
    """Return tables by name without schema, those that only one schema has."""
    last = Counter(name.rpartition(".")[2] for name in by_name)
    return {
        name.rpartition(".")[2]: table
        for name, table in by_name.items()
        if "." in name and last[name.rpartition(".")[2]] == 1
    }


def _spellings(table: exp.Table) -> list[str]:
    """Return the lower-case names that a layout may have for a table of a query."""
    name = table.name.lower()
    return [f"{table.db.lower()}.{name}"] if table.db and table.db.lower() not in PLAIN else [name]

"""What can be read off a gold query without running it, by sqlglot."""

import re
from collections.abc import Iterable
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError


def parse(sql: str, dialect: str = "sqlite") -> exp.Expression | None:
    """The query's tree; None where sqlglot cannot read it."""
    try:
        found = sqlglot.parse_one(sql, read=dialect)
    except (SqlglotError, RecursionError):
        return None
    return found if isinstance(found, exp.Expression) else None


@lru_cache(4096)  # a task is answered many times, and parsing takes longer than its query
def is_ordered(sql: str, dialect: str = "sqlite") -> bool:
    """Whether the whole result is ordered: an ORDER BY outside every parenthesis."""
    tree = parse(sql, dialect)
    if tree is not None:
        return tree.args.get("order") is not None
    bare = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", "", sql)
    while (inner := re.sub(r"\([^()]*\)", "", bare)) != bare:
        bare = inner
    return re.search(r"\border\s+by\b", bare, re.IGNORECASE) is not None


def tables_of(sql: str, known: Iterable[str], dialect: str = "sqlite") -> list[str]:
    """Those of the tables `known` that `sql` reads, as spelled there, in order of appearance."""
    by_name = {name.lower(): name for name in known}
    tree = parse(sql, dialect)
    if tree is not None:
        nodes = sorted(tree.find_all(exp.Table), key=lambda node: node.this.meta.get("start", 0))
        names = [node.name.lower() for node in nodes]
    else:
        names = re.findall(r"\w+", sql.lower())
    return [by_name[name] for name in dict.fromkeys(names) if name in by_name]

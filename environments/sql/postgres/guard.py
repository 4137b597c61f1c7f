"""Which statements an agent may send to Postgres, decided from their text alone.

This is a filter, not the security boundary, which is an ordinary role in a database of its own and
a transaction that is never committed. It reads words, not syntax trees: a parser that reads a text
in another way than the server would be a hole, while a word is a word to both (Unicode escapes are
refused). So it may also refuse a harmless text that only quotes such a word.

Limitation: what a statement learns of the clock, of object ids, and of rows that it takes with
LIMIT but without ORDER BY, may differ from one run to the next.
"""

import re
from collections.abc import Collection

STATEMENT = re.compile(
    r"(?:select|values|with|insert|update|delete)\b"
    r"|create\s+(?:table|(?:unique\s+)?index|(?:or\s+replace\s+)?view)\b"
    r"|(?:drop|alter)\s+(?:table|index|view)\b",
    re.IGNORECASE,
)
READING = re.compile(r"(?:select|values|with)\b", re.IGNORECASE)
WRITING = re.compile(r"\b(?:insert|update|delete|merge|into)\b", re.IGNORECASE)
WORD = re.compile(r"[^\W\d][\w$]*")
CALL = re.compile(r"([^\W\d][\w$]*)\"?\s*(?=\(|/\*|--)")
UNICODE_ESCAPE = re.compile(r"\bu&[\"']", re.IGNORECASE)

SYSTEM_COLUMNS = {"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"}
"""They reveal what was rolled back."""

KNOWN_PG = {
    "pg_attribute",
    "pg_catalog",
    "pg_class",
    "pg_constraint",
    "pg_get_constraintdef",
    "pg_get_expr",
    "pg_get_indexdef",
    "pg_get_serial_sequence",
    "pg_get_viewdef",
    "pg_index",
    "pg_indexes",
    "pg_namespace",
    "pg_table_is_visible",
    "pg_tables",
    "pg_type",
    "pg_typeof",
    "pg_views",
}
"""Of the server's own names, those that an honest look at the schema needs. The others reach other
sessions (`pg_terminate_backend`, `pg_stat_activity`, which would show the gold statements), hold
what no rollback frees (advisory locks), or read the server's files and settings."""

TRANSACTIONAL = {"nextval", "setval"}
"""Volatile, but the editor puts sequences back."""

REFUSED = "statements other than SELECT, INSERT, UPDATE, DELETE and CREATE, DROP or ALTER of tables"


def refusal(sql: str, volatile: Collection[str]) -> str | None:
    """Return why `sql` is refused; None if it may run.

    volatile: names of functions, in lower case, that do or tell something that a rollback does not
        undo.
    """
    if STATEMENT.match(opening(sql)) is None:
        return f"not allowed: {REFUSED}, indexes and views"
    if UNICODE_ESCAPE.search(sql):
        return "not allowed: names and texts written as U&"
    for word in (found.lower() for found in WORD.findall(sql)):
        if word in SYSTEM_COLUMNS:
            return f"not allowed: the system column {word}"
        if word.startswith(("pg_", "txid_")) and word not in KNOWN_PG:
            return f"not allowed: {word[:60]}"
    for name in (found.lower() for found in CALL.findall(sql)):
        if name in volatile and name not in TRANSACTIONAL:
            return f"not allowed: the function {name[:60]}"
    return None


def reads_only(sql: str) -> bool:
    """Return whether `sql`, which passed `refusal`, can run in a read-only transaction.

    In doubt it is False: a text that quotes the word "update" is taken for one that writes.
    """
    return READING.match(opening(sql)) is not None and WRITING.search(sql) is None


def opening(sql: str) -> str:
    """Return `sql` without the blanks, comments and parentheses before its first keyword."""
    at = 0
    while at < len(sql):
        if sql[at] in " \t\n\r\f(":
            at += 1
        elif sql.startswith("--", at):
            at += len(re.match(r"[^\n\r]*", sql[at:]).group())  # type: ignore[union-attr]
        elif sql.startswith("/*", at):
            at = _after_comment(sql, at)
        else:
            break
    return sql[at:]


def _after_comment(sql: str, start: int) -> int:
    """Return the index after a block comment; Postgres nests them."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(sql, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(sql)

"""What both SQL workers allow, bound and report.

`random()` is refused because the same query must return the same rows. The clock (`date('now')`) is
allowed, since honest queries ask for it.
"""

import contextlib
import sqlite3
import urllib.parse
from collections.abc import Collection
from typing import Any

READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
PRAGMAS = {
    "data_version",  # FTS5 asks for it when it reads
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "table_info",
    "table_list",
    "table_xinfo",
}
"""Those that only read the schema."""
REFUSED_FUNCTIONS = {"fts3_tokenizer", "load_extension", "random", "randomblob"}
PROGRESS_STEPS = 500
"""Instructions of SQLite's virtual machine between two looks at the clock."""
ERROR_KINDS = {
    sqlite3.SQLITE_AUTH: "denied",
    sqlite3.SQLITE_READONLY: "denied",
    sqlite3.SQLITE_FULL: "too_big",
    sqlite3.SQLITE_INTERRUPT: "timeout",
    sqlite3.SQLITE_NOMEM: "memory",
    sqlite3.SQLITE_TOOBIG: "too_big",
}


def read_only_uri(path: str) -> str:
    """Return the URI that opens a database without locks, journals or writes."""
    return f"file:{urllib.parse.quote(path)}?mode=ro&immutable=1"


def set_limits(db: sqlite3.Connection, limits: dict[str, Any], trigger_depth: int) -> None:
    """Apply SQLite's own limits to a connection; `limits` as in `sandbox.QueryLimits`."""
    db.execute("PRAGMA temp_store=MEMORY")
    for limit, value in (
        (sqlite3.SQLITE_LIMIT_LENGTH, limits["cell_bytes"]),
        (sqlite3.SQLITE_LIMIT_SQL_LENGTH, limits["sql_bytes"]),
        (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
        (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 100),
        (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 300),
        (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
        (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, trigger_depth),
        (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
    ):
        db.setlimit(limit, value)


def connect_virtual_tables(db: sqlite3.Connection) -> None:
    """Connect every virtual table, before a guard is on.

    To connect, a module prepares its own statements, also those that write (R-Tree) or set
    something; an authorizer that allows reads only would refuse the table. None of them is run by
    a query. A table that cannot be connected (a module that SQLite does not ship) is left to the
    statement that names it.
    """
    listed = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage = 0"
    for (name,) in db.execute(listed).fetchall():
        with contextlib.suppress(sqlite3.Error):
            db.execute(f"SELECT 1 FROM {quoted(name)} LIMIT 0").fetchall()


def quoted(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def may_read(
    code: int, first: str | None, second: str | None, refused: Collection[str] = REFUSED_FUNCTIONS
) -> bool:
    """Return whether an authorizer may allow this (its code and arguments) as part of reading."""
    if code == sqlite3.SQLITE_FUNCTION:
        return (second or "").lower() not in refused
    return code in READS or (code == sqlite3.SQLITE_PRAGMA and (first or "").lower() in PRAGMAS)


def describe(error: BaseException, seconds: float, noun: str) -> tuple[str, str]:
    """Return kind (see `sandbox.QueryError`) and message of an error; `noun` names what ran."""
    message = str(error)[:500]
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    kind = ERROR_KINDS.get(code & 0xFF, "sql")
    if message.startswith("not authorized"):
        kind = "denied"
    if kind == "timeout":
        message = overtime(seconds, noun)
    if kind == "memory" or isinstance(error, MemoryError):
        kind, message = "memory", f"the {noun} needs too much memory and was stopped"
    return kind, message


def overtime(seconds: float, noun: str = "query") -> str:
    """Return the message about a time limit that was reached."""
    return f"the {noun} ran longer than {seconds:g} s and was stopped"


def show(value: Any, width: int) -> Any:
    """Return a cell as it is sent: numbers and NULL unchanged, the rest as text cut to `width`."""
    if isinstance(value, bytes):
        text = f"x'{value[: width // 2].hex()}'"
        return text if len(value) <= width // 2 else text[:-1] + "...'"
    if isinstance(value, str) and len(value) > width:
        return value[:width] + "..."
    return value

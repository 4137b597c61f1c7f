"""What runs in the nodes of a sandbox where an agent changes a SQLite database.

`sandbox.sql.programs.edit_prelude` installs it in a `BranchingSandbox`. The database is a copy in
memory, so a fork of the node copies it too; no agent's Python ever runs beside it.

A step calls `perform` only. A copy counts the statements that have written: state number k is what
the first k of them left, and a savepoint before each lets `back` return there. The guards are those
of `query_worker`, but statements may write; transactions, savepoints, ATTACH, PRAGMAs that set, new
triggers and temporary tables stay refused.

SQLite itself ends the whole transaction in some cases (ON CONFLICT ROLLBACK, an interrupted write,
no memory). Then the states are gone: the reply says "broken", and the host makes the node again.

Limitations: `last_insert_rowid()` (which no rollback undoes), `changes()` and `total_changes()` are
refused too. Foreign keys are not enforced, which is SQLite's default.
"""

import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from typing import Any

from .guards import (
    PROGRESS_STEPS,
    REFUSED_FUNCTIONS,
    connect_virtual_tables,
    describe,
    may_read,
    quoted,
    read_only_uri,
    set_limits,
    show,
)

CHANGES = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
DEFINES = {
    sqlite3.SQLITE_ALTER_TABLE,
    sqlite3.SQLITE_CREATE_INDEX,
    sqlite3.SQLITE_CREATE_TABLE,
    sqlite3.SQLITE_CREATE_VIEW,
    sqlite3.SQLITE_DROP_INDEX,
    sqlite3.SQLITE_DROP_TABLE,
    sqlite3.SQLITE_DROP_VIEW,
    sqlite3.SQLITE_REINDEX,  # part of CREATE INDEX
}
REFUSED_HERE = REFUSED_FUNCTIONS | {"changes", "last_insert_rowid", "total_changes"}
RELATIONS = (
    "SELECT type, name FROM sqlite_master"
    " WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
)


class Copy:
    """A copy of a database in memory, with the states that its statements left.

    Attributes:
        limits: as in `sandbox.QueryLimits`, and "growth_bytes", "digest_seconds".
        writes: how many statements have written.
    """

    def __init__(self, path: str, limits: dict[str, Any]) -> None:
        """Copy the database at `path`. Raises sqlite3.Error if it cannot be read."""
        self.limits, self.writes = limits, 0
        self._guarded, self._deadline = False, 0.0
        self._seen: set[int] = set()
        # No cache of statements: the authorizer has to see each of them.
        self._db = sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)
        with contextlib.closing(sqlite3.connect(read_only_uri(path), uri=True)) as source:
            source.backup(self._db)
        self._bound()
        self._db.set_authorizer(self._authorize)
        self._db.set_progress_handler(self._overdue, PROGRESS_STEPS)
        self._db.execute("BEGIN")

    def _bound(self) -> None:
        db, limits = self._db, self.limits
        (size,) = db.execute("PRAGMA page_size").fetchone()
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        heap = limits["heap_bytes"] + 2 * size * pages + limits["growth_bytes"]
        db.execute(f"PRAGMA hard_heap_limit={heap}")
        db.execute(f"PRAGMA max_page_count={pages + limits['growth_bytes'] // size}")
        set_limits(db, limits, trigger_depth=10)

    def _authorize(self, code: int, first: str | None, second: str | None, *_: str | None) -> int:
        if not self._guarded:
            return sqlite3.SQLITE_OK
        table = (first or "").lower()
        # SQLite writes these itself: for a CREATE, and to declare a function such as json_each.
        if not (code in CHANGES and table in ("sqlite_master", "sqlite_temp_master")):
            self._seen.add(code)
        allowed = code in CHANGES | DEFINES or may_read(code, first, second, REFUSED_HERE)
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    def _overdue(self) -> bool:
        return self._guarded and time.monotonic() > self._deadline

    @contextlib.contextmanager
    def _guard(self, deadline: float, on_error: str) -> Iterator[None]:
        """Apply the guards while agent SQL may run; `deadline` is a time of time.monotonic()."""
        self._guarded, self._deadline = True, deadline
        self._db.text_factory = lambda data: data.decode("utf-8", on_error)
        try:
            yield
        finally:
            self._guarded = False

    def run(self, sql: str, max_rows: int, max_cell: int) -> dict[str, Any]:
        """Return the first rows of one statement; a statement that fails leaves no trace."""
        savepoint = f"w{self.writes + 1}"
        self._db.execute(f"SAVEPOINT {savepoint}")
        connect_virtual_tables(self._db)  # again: a rollback may have disconnected them
        self._seen = set()
        try:
            with self._guard(time.monotonic() + self.limits["seconds"], "replace"):
                reply = self._fetch(sql, max_rows, max_cell)
        except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
            if not self._db.in_transaction:
                return {
                    "error": describe(error, self.limits["seconds"], "statement"),
                    "broken": True,
                }
            self._db.execute(f"ROLLBACK TO {savepoint}")
            self._db.execute(f"RELEASE {savepoint}")
            return {"error": describe(error, self.limits["seconds"], "statement")}
        if self._seen & CHANGES and not self._seen & DEFINES:
            (reply["changed"],) = self._db.execute("SELECT changes()").fetchone()
        reply["wrote"] = bool(self._seen & (CHANGES | DEFINES))
        if reply["wrote"]:
            self.writes += 1
        else:
            self._db.execute(f"RELEASE {savepoint}")
        return reply

    def _fetch(self, sql: str, max_rows: int, max_cell: int) -> dict[str, Any]:
        rows: list[list[Any]] = []
        total, room = 0, self.limits["reply_bytes"]
        with contextlib.closing(self._db.execute(sql)) as cursor:
            if cursor.description is None and not self._seen:
                raise ValueError("there is no statement in this text")
            columns = [show(column[0], max_cell) for column in cursor.description or ()]
            for row in cursor:
                total += 1
                if total > self.limits["count_rows"]:
                    break
                if len(rows) < max_rows and room > 0:
                    rows.append([show(value, max_cell) for value in row])
                    room -= len(json.dumps(rows[-1]))
        count = min(total, self.limits["count_rows"])
        return {"columns": columns, "rows": rows, "total": count, "more": total > count}

    def back(self, writes: int) -> None:
        """Undo all but the first `writes` statements that wrote."""
        if writes < self.writes:
            self._db.execute(f"ROLLBACK TO w{writes + 1}")
            self._db.execute(f"RELEASE w{writes + 1}")
            self.writes = writes

    def replay(self, statements: Iterable[str]) -> dict[str, Any]:
        """Run statements again that wrote before; an error if one does not write now."""
        for sql in statements:
            reply = self.run(sql, 0, 1)
            if not reply.get("wrote"):
                return {"error": reply.get("error", ("sql", "it wrote nothing"))}
        return {}

    def trial(self, statements: Iterable[str]) -> dict[str, Any]:
        """Return the state that statements leave, or the error of the first that fails."""
        replies = (self.run(sql, 0, 1) for sql in statements)
        return next((reply for reply in replies if "error" in reply), None) or self.state()

    def state(self) -> dict[str, Any]:
        """Return digests of contents and schema, as `environments.sql.editor.State` explains."""
        content, schema = [], []
        # The tables in which a virtual table keeps its rows may hold the same rows in another way.
        kinds = self._db.execute("PRAGMA table_list").fetchall()
        inner = {row[1] for row in kinds if row[2] == "shadow"}
        for kind, name in self._db.execute(RELATIONS).fetchall():
            if name in inner:
                continue
            # The agent may have written the view: it gets the time of a statement.
            seconds = self.limits["seconds" if kind == "view" else "digest_seconds"]
            try:
                with self._guard(time.monotonic() + seconds, "surrogateescape"):
                    declared = self._pragma("table_xinfo", name)
                    content.append([name.lower(), *self._content(name, declared)])
                    references = sorted(self._pragma("foreign_key_list", name))
                    schema.append([kind, name, declared, references, self._indexes(name)])
            except (sqlite3.Error, ValueError, MemoryError):
                content.append([name.lower(), "unreadable"])
        return {"content": digest(sorted(content)), "schema": digest(sorted(schema))}

    def _content(self, name: str, declared: list[Any]) -> tuple[list[str], str]:
        """Return the columns in alphabetical order, and a digest of the rows as a multiset."""
        columns = sorted((str(row[1]) for row in declared if row[6] != 1), key=str.lower)
        names = ", ".join(map(quoted, columns))
        rows = self._db.execute(f"SELECT {names} FROM {quoted(name)}")
        digests = sorted(hashlib.sha256(b"".join(map(encode, row))).digest() for row in rows)
        return [c.lower() for c in columns], hashlib.sha256(b"".join(digests)).hexdigest()

    def _indexes(self, name: str) -> list[Any]:
        found = self._pragma("index_list", name)
        return sorted([index[2:], self._pragma("index_xinfo", index[1])] for index in found)

    def _pragma(self, pragma: str, name: str) -> list[Any]:
        rows = self._db.execute(f"PRAGMA {pragma}({quoted(name)})")
        return [[*map(str, row[:6]), row[6] if len(row) > 6 else 0] for row in rows]


def encode(value: Any) -> bytes:
    """Return bytes that are equal for equal values: a type tag, the length, the value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    match value:
        case None:
            tag, data = b"-", b""
        case int():
            tag, data = b"i", str(value).encode()
        case float():
            tag, data = b"f", value.hex().encode()
        case str():
            tag, data = b"t", value.encode("utf-8", "surrogateescape")
        case _:
            tag, data = b"b", bytes(value)
    return b"%s%d:%s" % (tag, len(data), data)


def digest(value: Any) -> str:
    """Return a hash of JSON data."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def load(path: str, limits: str) -> str:
    """Copy the database for `perform`; return the error, or "" if it worked."""
    global copy
    try:
        copy = Copy(path, json.loads(limits))
    except sqlite3.Error as error:
        return str(error)
    return ""


def perform(requests: str) -> str:
    """Call methods of `Copy`, a JSON list of [method, arguments...]; return the last reply."""
    reply: Any = None
    for name, *arguments in json.loads(requests):
        reply = getattr(copy, name)(*arguments)
    return json.dumps(reply)


copy: Copy

"""What runs in the nodes of a sandbox where an agent changes a SQLite database: our code.

Standard library only: its source is the prelude of a `BranchingSandbox`. The database is a copy in
memory, so a fork of the node is a copy of it; no agent's Python ever runs beside it.

`perform` is the one thing that a step calls. A copy counts the statements that have written: state
number k is what the first k of them left, and the savepoint set before each lets `back` go there.
The guards are those of `query_worker`, but the authorizer lets statements write; transactions,
savepoints, ATTACH, PRAGMAs that set, new triggers and temporary tables stay refused.

SQLite itself ends the whole transaction in some cases (ON CONFLICT ROLLBACK, an interrupted write,
no memory). Then the states are gone: the reply says "broken", and the host makes the node anew.

Limits: `random()` and `last_insert_rowid()` (which no rollback undoes) are refused, as are
`changes()` and `total_changes()`; the clock is not. Foreign keys are not enforced, which is
SQLite's default.
"""

import contextlib
import hashlib
import json
import sqlite3
import time
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import Any

READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
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
PRAGMAS = {
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "table_info",
    "table_list",
    "table_xinfo",
}
REFUSED_FUNCTIONS = {
    "changes",
    "fts3_tokenizer",
    "last_insert_rowid",
    "load_extension",
    "random",
    "randomblob",
    "total_changes",
}
KINDS = {
    sqlite3.SQLITE_AUTH: "denied",
    sqlite3.SQLITE_FULL: "too_big",
    sqlite3.SQLITE_INTERRUPT: "timeout",
    sqlite3.SQLITE_NOMEM: "memory",
    sqlite3.SQLITE_TOOBIG: "too_big",
}
RELATIONS = (
    "SELECT type, name FROM sqlite_master"
    " WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
)


class Copy:
    """A copy in memory of the database at `path`, with the states that its statements left.

    limits: as `sandbox.QueryLimits` has them, and "growth_bytes", "digest_seconds".

    Raises:
        sqlite3.Error: it cannot be read.
    """

    def __init__(self, path: str, limits: dict[str, Any]) -> None:
        self.limits, self.writes = limits, 0
        self._guarded, self._deadline = False, 0.0
        self._seen: set[int] = set()
        uri = f"file:{urllib.parse.quote(path)}?mode=ro&immutable=1"
        # No cache of statements: the authorizer has to see each of them.
        self._db = sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as source:
            source.backup(self._db)
        self._bound()
        self._db.set_authorizer(self._authorize)
        self._db.set_progress_handler(self._overdue, 500)
        self._db.execute("BEGIN")

    def _bound(self) -> None:
        db, limits = self._db, self.limits
        (size,) = db.execute("PRAGMA page_size").fetchone()
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        heap = limits["heap_bytes"] + 2 * size * pages + limits["growth_bytes"]
        db.execute(f"PRAGMA hard_heap_limit={heap}")
        db.execute(f"PRAGMA max_page_count={pages + limits['growth_bytes'] // size}")
        db.execute("PRAGMA temp_store=MEMORY")
        for limit, value in (
            (sqlite3.SQLITE_LIMIT_LENGTH, limits["cell_bytes"]),
            (sqlite3.SQLITE_LIMIT_SQL_LENGTH, limits["sql_bytes"]),
            (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
            (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 100),
            (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 300),
            (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
            (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 10),
            (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
        ):
            db.setlimit(limit, value)

    def _authorize(self, code: int, first: str | None, second: str | None, *_: str | None) -> int:
        if not self._guarded:
            return sqlite3.SQLITE_OK
        table = (first or "").lower()
        # SQLite writes these itself: for a CREATE, and to declare a function such as json_each.
        if not (code in CHANGES and table in ("sqlite_master", "sqlite_temp_master")):
            self._seen.add(code)
        if code in READS | CHANGES | DEFINES:
            return sqlite3.SQLITE_OK
        if code == sqlite3.SQLITE_FUNCTION:
            allowed = (second or "").lower() not in REFUSED_FUNCTIONS
        else:
            allowed = code == sqlite3.SQLITE_PRAGMA and table in PRAGMAS
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    def _overdue(self) -> bool:
        return self._guarded and time.monotonic() > self._deadline

    @contextlib.contextmanager
    def _guard(self, deadline: float, on_error: str) -> Iterator[None]:
        """Everything that runs inside may be the agent's; `deadline` as time.monotonic() has it."""
        self._guarded, self._deadline = True, deadline
        self._db.text_factory = lambda data: data.decode("utf-8", on_error)
        try:
            yield
        finally:
            self._guarded = False

    def run(self, sql: str, max_rows: int, max_cell: int) -> dict[str, Any]:
        """The first rows of one statement; one that fails leaves no trace."""
        savepoint = f"w{self.writes + 1}"
        self._db.execute(f"SAVEPOINT {savepoint}")
        self._seen = set()
        try:
            with self._guard(time.monotonic() + self.limits["seconds"], "replace"):
                reply = self._fetch(sql, max_rows, max_cell)
        except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
            if not self._db.in_transaction:
                return {"error": self._told(error), "broken": True}
            self._db.execute(f"ROLLBACK TO {savepoint}")
            self._db.execute(f"RELEASE {savepoint}")
            return {"error": self._told(error)}
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
            columns = [shown(column[0], max_cell) for column in cursor.description or ()]
            for row in cursor:
                total += 1
                if total > self.limits["count_rows"]:
                    break
                if len(rows) < max_rows and room > 0:
                    rows.append([shown(value, max_cell) for value in row])
                    room -= len(json.dumps(rows[-1]))
        count = min(total, self.limits["count_rows"])
        return {"columns": columns, "rows": rows, "total": count, "more": total > count}

    def _told(self, error: Exception) -> tuple[str, str]:
        message = str(error)[:500]
        kind = KINDS.get(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF, "sql")
        if message.startswith("not authorized"):
            kind = "denied"
        if kind == "timeout":
            message = f"the statement ran longer than {self.limits['seconds']:g} s and was stopped"
        if kind == "memory" or isinstance(error, MemoryError):
            kind, message = "memory", "the statement needs too much memory and was stopped"
        return kind, message

    def back(self, writes: int) -> None:
        """Undo all but the first `writes` statements that have written."""
        if writes < self.writes:
            self._db.execute(f"ROLLBACK TO w{writes + 1}")
            self._db.execute(f"RELEASE w{writes + 1}")
            self.writes = writes

    def replay(self, statements: Iterable[str]) -> dict[str, Any]:
        """Run statements that have written before."""
        for sql in statements:
            reply = self.run(sql, 0, 1)
            if not reply.get("wrote"):
                return {"error": reply.get("error", ("sql", "it wrote nothing"))}
        return {}

    def trial(self, statements: Iterable[str]) -> dict[str, Any]:
        """The state that statements leave, or the error of the first that fails."""
        replies = (self.run(sql, 0, 1) for sql in statements)
        return next((reply for reply in replies if "error" in reply), None) or self.state()

    def state(self) -> dict[str, Any]:
        """Digests; what they are of, says `environments.sql.editor.State`."""
        content, schema = [], []
        for kind, name in self._db.execute(RELATIONS).fetchall():
            # A view may be the agent's.
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
        """Columns in alphabetical order; and a digest of the rows, whatever their order."""
        columns = sorted((str(row[1]) for row in declared if row[6] != 1), key=str.lower)
        names = ", ".join(map(quoted, columns))
        rows = self._db.execute(f"SELECT {names} FROM {quoted(name)}")
        digests = sorted(hashlib.sha256(b"".join(map(encoded, row))).digest() for row in rows)
        return [c.lower() for c in columns], hashlib.sha256(b"".join(digests)).hexdigest()

    def _indexes(self, name: str) -> list[Any]:
        found = self._pragma("index_list", name)
        return sorted([index[2:], self._pragma("index_xinfo", index[1])] for index in found)

    def _pragma(self, pragma: str, name: str) -> list[Any]:
        rows = self._db.execute(f"PRAGMA {pragma}({quoted(name)})")
        return [[*map(str, row[:6]), row[6] if len(row) > 6 else 0] for row in rows]


def shown(value: Any, width: int) -> Any:
    """A cell as it travels: numbers and NULL as they are, the rest as text of `width` at most."""
    if isinstance(value, bytes):
        text = f"x'{value[: width // 2].hex()}'"
        return text if len(value) <= width // 2 else text[:-1] + "...'"
    if isinstance(value, str) and len(value) > width:
        return value[:width] + "..."
    return value


def encoded(value: Any) -> bytes:
    """Equal for equal values: tagged, with its length."""
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
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def load(path: str, limits: str) -> str:
    """Make `copy`, which `perform` acts on; the error, or ""."""
    global copy
    try:
        copy = Copy(path, json.loads(limits))
    except sqlite3.Error as error:
        return str(error)
    return ""


def perform(requests: str) -> str:
    """The reply to the last of a JSON list of [method of `Copy`, arguments...]."""
    reply: Any = None
    for name, *arguments in json.loads(requests):
        reply = getattr(copy, name)(*arguments)
    return json.dumps(reply)


copy: Copy

"""One private database, one connection, one transaction that is never committed.

Branching is by savepoint: one is set before each statement, and kept if the statement may have
written, so a state is the number of such statements. Rollback undoes everything but sequences, so
their values are noted with each savepoint and set back.
"""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from environments.sql.editor import Layout, State, StatementResult
from environments.sql.gold import is_ordered
from environments.sql.postgres import guard, state
from environments.sql.postgres.server import Server, driver
from environments.sql.text import described, table_text
from sandbox import QueryError, QueryLimits, QueryResult

if TYPE_CHECKING:
    import psycopg

GROWTH = 64 << 20
"""Maximum bytes by which one statement may grow the database."""
SAMPLE_ROWS = 3
SAMPLE_CELL = 40

SEQUENCES = (
    "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'S' AND n.nspname NOT LIKE 'pg\\_%' ORDER BY c.oid"
)
VOLATILE = (
    "SELECT DISTINCT lower(p.proname) FROM pg_proc p"
    " LEFT JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass"
    " AND d.deptype = 'e' WHERE p.provolatile = 'v'"
    " AND (p.pronamespace = 'pg_catalog'::regnamespace OR d.objid IS NOT NULL)"
)
"""Functions of the server and its extensions; a task's own functions may run."""

SEARCH_PATH = (
    "SELECT substr(setting, length('search_path=') + 1) FROM pg_db_role_setting s"
    " JOIN pg_database d ON d.oid = s.setdatabase CROSS JOIN unnest(s.setconfig) AS setting"
    " WHERE d.datname = %s AND s.setrole IN (0, to_regrole(quote_ident(current_user)))"
    " AND setting LIKE 'search_path=%%' ORDER BY s.setrole DESC LIMIT 1"
)
"""The setting of a database, which a copy of it does not have."""

KINDS = {"25006": "denied", "42501": "denied", "57014": "timeout", "53200": "memory"}
"""Kinds of errors by SQLSTATE."""

Sequences = dict[str, tuple[int, bool]]
"""(last value, whether it was handed out) by name."""

_marks = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Write:
    """A statement that wrote: its unique number, and the sequences before it."""

    number: int
    sequences: Sequences


class Session:
    """A copy of the database `template`; `close` drops it.

    Every method may raise `psycopg.Error` if the connection is lost or the server is in trouble.

    Raises:
        DataError: there is no such database, or the role may not copy it.
        SandboxError: the server cannot be reached.
    """

    def __init__(self, server: Server, template: str, limits: QueryLimits) -> None:
        self.template, self.limits, self._server = template, limits, server
        self.written: list[Write] = []
        self.undone = 0
        self._name = server.clone(template)
        self._connection = self._begin()

    def _begin(self) -> "psycopg.Connection[tuple[Any, ...]]":
        connection = self._server.connect(self._name)
        sequences = connection.execute(SEQUENCES).fetchall()
        for (name,) in sequences:  # numbers that a session has set aside cannot be put back
            connection.execute(f"ALTER SEQUENCE {name} CACHE 1".encode())
        self._volatile = {str(row[0]) for row in connection.execute(VOLATILE)}
        for (path,) in connection.execute(SEARCH_PATH, (self.template,)).fetchall():
            connection.execute("SELECT set_config('search_path', %s, false)", (path,))
        connection.execute("BEGIN")
        return connection

    @property
    def alive(self) -> bool:
        """Whether the transaction can go on."""
        status = self._connection.info.transaction_status
        return bool(status == driver().pq.TransactionStatus.INTRANS)

    @property
    def mark(self) -> tuple[int, int]:
        """The number of statements that wrote, and that of the last: they identify this state."""
        return len(self.written), self.written[-1].number if self.written else 0

    def run(self, sql: str, max_rows: int, max_cell: int) -> StatementResult:
        """Run one statement; one that fails leaves no trace."""
        refused = guard.refusal(sql, self._volatile)
        if refused is not None:
            return _failed("denied", refused)
        if len(sql) > self.limits.sql_bytes:
            return _failed("too_big", f"the text is longer than {self.limits.sql_bytes} characters")
        if not _sendable(sql):
            return _failed("sql", "the text holds a character that Postgres cannot take")
        return self._attempt(sql, max_rows, max_cell)

    def _attempt(self, sql: str, max_rows: int, max_cell: int) -> StatementResult:
        psycopg = driver()
        reading = guard.reads_only(sql)
        sequences = {} if reading else self._sequences()
        savepoint = f"w{len(self.written) + 1}"
        self._send(
            f"SAVEPOINT {savepoint}; SET LOCAL statement_timeout = {self.limits.seconds * 1000:.0f}"
            + ("; SET LOCAL transaction_read_only = on" if reading else "")
        )
        try:
            ran = self._execute(sql, reading, max_rows, max_cell)
        except psycopg.Error as error:
            if self._connection.closed:
                raise
            self._undo(savepoint, sequences)
            return _failed(*self._reason(error))
        if reading:
            self._undo(savepoint, {})
        else:
            self.written.append(Write(next(_marks), sequences))
        return ran

    def _execute(self, sql: str, reading: bool, max_rows: int, max_cell: int) -> StatementResult:
        size = 0 if reading else self._size()
        columns = self._columns(sql)
        if not columns:
            done = self._connection.execute(sql.encode())
            word = (done.statusmessage or "").partition(" ")[0]
            changed = done.rowcount if word in ("INSERT", "UPDATE", "DELETE") else None
            result = QueryResult()
        else:
            most = self.limits.count_rows + 1
            wrapped = _bounded(sql, reading, most, max_rows, max_cell)
            rows = self._connection.execute(wrapped.encode()).fetchall()
            changed = None if reading else len(rows)
            shown = tuple(tuple(_cut(c, max_cell) for c in row) for (row,) in rows[:max_rows])
            total = min(len(rows), self.limits.count_rows)
            result = QueryResult(columns, shown, total, len(rows) > total)
        if not reading and self._size() - size > GROWTH:
            raise driver().errors.DiskFull(f"the statement adds more than {GROWTH} bytes")
        return StatementResult(result, changed)

    def _columns(self, sql: str) -> tuple[str, ...]:
        """Return the names of the columns that `sql`, a single statement, returns."""
        psycopg = driver()
        server = self._connection.pgconn
        prepared = server.prepare(b"", sql.encode())
        if prepared.status != psycopg.pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(prepared)
        found = server.describe_prepared(b"")
        names = (found.fname(index) or b"" for index in range(found.nfields))
        return tuple(name.decode(errors="replace") for name in names)

    def back(self, writes: int) -> None:
        """Undo all statements but the first `writes`."""
        if writes < len(self.written):
            sequences = self.written[writes].sequences
            self._undo(f"w{writes + 1}", sequences)
            self.undone += len(self.written) - writes
            del self.written[writes:]

    def holds(self, writes: int, last: int) -> bool:
        """Return whether the state of a mark still exists."""
        if writes == 0:
            return True
        return writes <= len(self.written) and self.written[writes - 1].number == last

    def layout(self) -> Layout:
        """See `Editor.layout`."""
        return state.layout(self._connection)

    def state(self) -> State:
        """See `Editor.state`."""
        return state.state(self._connection)

    def describe(self, table: str, most: int) -> str:
        """See `Editor.describe`."""
        quoted, lines = state.facts(self._connection, table)
        # Any order that is always the same; that of the heap is not.
        sample = f'SELECT * FROM {quoted} AS t ORDER BY t::text COLLATE "C" LIMIT {SAMPLE_ROWS}'
        found = self._attempt(sample, SAMPLE_ROWS, SAMPLE_CELL).result
        if found.error is not None:
            rows = f"no sample rows: {found.error.message}"
        elif not found.rows:
            rows = "the table is empty"
        else:
            rows = f"sample rows:\n{table_text(found.columns, found.rows)[0]}"
        text = described(table, lines, rows)
        return text if len(text) <= most else described(table, lines, rows, most)

    def close(self) -> None:
        """See `Editor.close`."""
        self._connection.close()
        self._server.drop(self._name)

    def _undo(self, savepoint: str, sequences: Sequences) -> None:
        """Roll back to a savepoint and release it; set `sequences` back."""
        self._send(f"ROLLBACK TO {savepoint}; RELEASE {savepoint}")
        for name, (value, handed_out) in sequences.items():
            self._connection.execute("SELECT setval(%s, %s, %s)", (name, value, handed_out))

    def _sequences(self) -> Sequences:
        names = [str(name) for (name,) in self._connection.execute(SEQUENCES)]
        if not names:
            return {}
        each = (
            f"SELECT {place}, last_value, is_called FROM {name}" for place, name in enumerate(names)
        )
        rows = self._connection.execute(" UNION ALL ".join(each).encode()).fetchall()
        return {names[place]: (value, called) for place, value, called in rows}

    def _size(self) -> int:
        row = self._connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        return int(row[0])

    def _send(self, commands: str) -> None:
        self._connection.execute(commands.encode())

    def _reason(self, error: Exception) -> tuple[str, str]:
        psycopg = driver()
        assert isinstance(error, psycopg.Error)
        if isinstance(error, psycopg.errors.DiskFull) and error.diag.sqlstate is None:
            return "too_big", str(error)
        kind = KINDS.get(error.diag.sqlstate or error.sqlstate or "", "sql")
        if kind == "timeout":
            limit = f"{self.limits.seconds:g}"
            return kind, f"the statement ran longer than {limit} s and was stopped"
        parts = [error.diag.message_primary, error.diag.message_detail, error.diag.message_hint]
        return kind, "; ".join(text for text in parts if text)[:500] or str(error)[:500]


def _sendable(sql: str) -> bool:
    """Return whether there is neither NUL nor half of a surrogate pair, which JSON can spell."""
    return "\0" not in sql and not any("\ud800" <= character <= "\udfff" for character in sql)


def _failed(kind: str, message: str) -> StatementResult:
    return StatementResult(QueryResult(error=QueryError(kind, message)))


def _bounded(sql: str, reading: bool, most: int, max_rows: int, max_cell: int) -> str:
    """Return a statement that runs `sql` and returns its first rows as arrays of short texts.

    The other rows are NULL. The server truncates cells, since one may be a gigabyte. SQL promises
    no order unless the query asks for one, and after a rollback Postgres returns another one; so
    the rows of such a query are sorted, if there are not too many.
    """
    cells = f"ARRAY(SELECT left(value, {max_cell + 1}) FROM json_each_text(row_to_json(q)))"
    order = "" if is_ordered(sql, "postgres") else 'ORDER BY row_to_json(q)::text COLLATE "C"'
    body = sql.rstrip("; \t\r\n\f")
    source = "q" if not reading else f"(SELECT * FROM (\n{body}\n) AS q LIMIT {most}) AS q"
    head = "" if reading else f"WITH q AS (\n{body}\n) "
    return (
        f"{head}SELECT CASE WHEN row_number() OVER ({order}) <= {max_rows} THEN {cells} END"
        f" FROM {source} {order}"
    )


def _cut(cell: str | None, width: int) -> str | None:
    return cell[:width] + "..." if cell is not None and len(cell) > width else cell

"""What a database holds, as the agent sees it: tables, columns, keys, descriptions, samples."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from environments.errors import DataError
from environments.sql.text import Cell, table_text
from sandbox import QueryResult, SandboxError
from treegraft.text_files import decode, read_bytes

SAMPLE_ROWS = 3
SAMPLE_CELL = 40
DESCRIPTION = 120
"""Characters of a sample cell, and of a column's description."""

VALUES = ("value_description",)
DESCRIBED = ("column_description", *VALUES)
"""Fields of BIRD's descriptions that a prompt shows, and that `describe` shows."""

TABLES = (
    "SELECT name FROM sqlite_master"
    " WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
)


class Queries(Protocol):
    """What runs a query: a `QueryWorker`, or an editor in whose state the query is run."""

    def query(self, database: str, sql: str, *, max_rows: int, max_cell: int) -> QueryResult:
        """Run a query, as `QueryWorker.query` does."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Caches a worker's answers about the schema of a database that is only read."""

    worker: Queries
    known: dict[tuple[str, str, int], QueryResult] = field(default_factory=dict)

    def query(self, database: str, sql: str, *, max_rows: int, max_cell: int) -> QueryResult:
        """See `Queries`."""
        asked = (database, sql, max_cell)
        if asked not in self.known:
            found = self.worker.query(database, sql, max_rows=max_rows, max_cell=max_cell)
            if found.error is not None:
                return found
            self.known[asked] = found
        return self.known[asked]


@dataclass(frozen=True, slots=True)
class Column:
    """A column, as the agent sees it.

    Attributes:
        key: whether it belongs to the primary key.
        required: "not null" or "".
        target: the column that it references; "" for none.
    """

    name: str
    kind: str
    key: bool
    required: str
    target: str
    note: str

    @property
    def arrow(self) -> str:
        """The target, as it is written after the column."""
        return f" -> {self.target}" if self.target else ""

    @property
    def short(self) -> str:
        """The column in few words; a key needs only its name and target."""
        kind = "" if self.target else self.kind.lower()
        key = "primary key" if self.key else ""
        facts = " ".join(filter(None, [named(self.name), kind, key]))
        return f"{facts}{self.arrow}" + (f" [{self.note}]" if self.note else "")


@dataclass(frozen=True, slots=True)
class Schema:
    """Reads the schema of one database through a worker."""

    worker: Queries
    database: str

    def tables(self) -> list[str]:
        """List tables and views in the order of creation; may raise `SandboxError`."""
        found = self.worker.query(self.database, TABLES, max_rows=5000, max_cell=200)
        if found.error is not None:
            raise SandboxError(f"cannot read {self.database}: {found.error.message}")
        return [str(row[0]) for row in found.rows]

    def find(self, table: str) -> str | None:
        """Return `table` as the database spells it; None if there is no such table."""
        wanted = table.strip().strip('"`[]').lower()
        return next((name for name in self.tables() if name.lower() == wanted), None)

    def columns(self) -> dict[str, list[str]]:
        """Return the names of columns by lower-case name of table."""
        return {
            table.lower(): [str(row[1]) for row in self._pragma("table_info", table)]
            for table in self.tables()
        }

    def describe(self, table: str) -> str:
        """Describe columns, keys and some rows of `table`, spelled as `find` returns it.

        Raises:
            DataError: a file of descriptions is malformed.
            SandboxError: the worker cannot start.
        """
        lines = [f"table {table}:"]
        for column in self._described(table):
            facts = [column.kind, "primary key" if column.key else column.required]
            line = f"  {column.name} {', '.join(filter(None, facts))}".rstrip() + column.arrow
            lines.append(f"{line}: {column.note}" if column.note else line)
        return "\n".join([*lines, self._samples(table)])

    def overview(self) -> str:
        """Describe each table on one line, with types, keys and meanings of values, for a prompt.

        Raises:
            DataError: a file of descriptions is malformed.
            SandboxError: the database cannot be read.
        """
        columns = {table: self._described(table, VALUES) for table in self.tables()}
        return "\n".join(
            f"{named(table)}({', '.join(column.short for column in known)})"
            for table, known in columns.items()
            if known  # none of a view that is broken
        )

    def _described(self, table: str, wanted: Sequence[str] = DESCRIBED) -> list[Column]:
        targets = {
            str(row[3]).lower(): f"{row[2]}.{row[4]}" if row[4] is not None else str(row[2])
            for row in self._pragma("foreign_key_list", table)
        }
        folder = Path(self.database).parent / "database_description"
        notes = descriptions(folder, table, wanted)
        return [
            Column(
                str(name),
                str(kind),
                bool(key),
                "not null" if not_null else "",
                targets.get(str(name).lower(), ""),
                notes.get(str(name).lower(), ""),
            )
            for _, name, kind, not_null, _, key in self._pragma("table_info", table)
        ]

    def _samples(self, table: str) -> str:
        sql = f"SELECT * FROM {_quoted(table)} LIMIT {SAMPLE_ROWS}"
        found = self.worker.query(self.database, sql, max_rows=SAMPLE_ROWS, max_cell=SAMPLE_CELL)
        if found.error is not None:  # a view may be slow or broken: the data's own fault
            return f"no sample rows: {found.error.message}"
        if not found.rows:
            return "the table is empty"
        return f"sample rows:\n{table_text(found.columns, found.rows)[0]}"

    def _pragma(self, name: str, table: str) -> tuple[tuple[Cell, ...], ...]:
        """Rows about a table; none about a view that is broken, as some databases have."""
        sql = f"PRAGMA {name}({_quoted(table)})"
        return self.worker.query(self.database, sql, max_rows=5000, max_cell=200).rows


def named(name: str) -> str:
    """Return a name as a query spells it, quoted only if necessary."""
    return name if name.isidentifier() else _quoted(name)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def descriptions(folder: Path, table: str, wanted: Sequence[str] = DESCRIBED) -> dict[str, str]:
    """Read BIRD's `database_description/<table>.csv`: descriptions by lower-case name of column.

    Without a file there are no descriptions. Real files have byte order marks, Latin-1 bytes,
    stray spaces and missing columns.

    Args:
        table: name of the table, in any case.
        wanted: the fields to include.

    Raises:
        DataError: the file is not CSV.
    """
    files = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    path = next((p for p in files if p.stem.strip().lower() == table.lower()), None)
    if path is None:
        return {}
    data = read_bytes(path)
    try:
        text = decode(data)
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")  # Latin-1, with Excel's quotation marks
    found: dict[str, str] = {}
    try:
        for row in csv.DictReader(io.StringIO(text, newline="")):
            fields = {(k or "").strip(): v for k, v in row.items() if isinstance(v, str)}
            name = fields.get("original_column_name", "").strip().lower()
            found[name] = _note(name, fields, wanted)
    except csv.Error as error:
        raise DataError(f"{path}: {error}") from error
    return found


def _note(name: str, fields: dict[str, str], wanted: Sequence[str]) -> str:
    """Return the fields on one line, without what only repeats the column's name."""
    texts = [" ".join(fields.get(field, "").split()) for field in wanted]
    spoken = name.replace("_", " ")
    kept = [text for text in texts if text and text.lower() not in (name, spoken)]
    note = "; ".join(kept)
    return note if len(note) <= DESCRIPTION else note[:DESCRIPTION].rstrip() + "..."

"""What a database holds, as the agent sees it: tables, columns, keys, descriptions, samples."""

import codecs
import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from environments.errors import DataError
from environments.sql.text import Cell, table_text
from sandbox import QueryResult, SandboxError

SAMPLE_ROWS = 3
SAMPLE_CELL = 40
DESCRIPTION = 120
"""Characters of a sample cell, and of a column's description."""

TABLES = (
    "SELECT name FROM sqlite_master"
    " WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
)


class Queries(Protocol):
    """What runs a query: a `QueryWorker`, or an editor in whose state the query is run."""

    def query(self, database: str, sql: str, *, max_rows: int, max_cell: int) -> QueryResult:
        """As `QueryWorker.query`."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Asks a worker once for what nobody changes: the schema of a database that is only read."""

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
class Schema:
    """Reads the schema of one database through a worker."""

    worker: Queries
    database: str

    def tables(self) -> list[str]:
        """Names of tables and views, in the order of their making.

        Raises:
            SandboxError: the database cannot be read.
        """
        found = self.worker.query(self.database, TABLES, max_rows=5000, max_cell=200)
        if found.error is not None:
            raise SandboxError(f"cannot read {self.database}: {found.error.message}")
        return [str(row[0]) for row in found.rows]

    def find(self, table: str) -> str | None:
        """`table` as the database spells it; None if there is no such table."""
        wanted = table.strip().strip('"`[]').lower()
        return next((name for name in self.tables() if name.lower() == wanted), None)

    def columns(self) -> dict[str, list[str]]:
        """Names of columns by lower-case name of table."""
        return {
            table.lower(): [str(row[1]) for row in self._pragma("table_info", table)]
            for table in self.tables()
        }

    def describe(self, table: str) -> str:
        """Columns with types, keys and descriptions, and some rows; `table` as `find` gives it.

        Raises:
            DataError: a file of descriptions is malformed.
            SandboxError: the worker cannot start.
        """
        references = {
            str(row[3]).lower(): f"{row[2]}.{row[4]}" if row[4] is not None else str(row[2])
            for row in self._pragma("foreign_key_list", table)
        }
        notes = descriptions(Path(self.database).parent / "database_description", table)
        lines = [f"table {table}:"]
        for _, name, kind, not_null, _, key in self._pragma("table_info", table):
            column = str(name).lower()
            facts = [str(kind), "primary key" if key else "not null" if not_null else ""]
            line = f"  {name} {', '.join(filter(None, facts))}".rstrip()
            if column in references:
                line += f" -> {references[column]}"
            lines.append(f"{line}: {notes[column]}" if notes.get(column) else line)
        return "\n".join([*lines, self._samples(table)])

    def _samples(self, table: str) -> str:
        sql = f"SELECT * FROM {_quoted(table)} LIMIT {SAMPLE_ROWS}"
        found = self.worker.query(self.database, sql, max_rows=SAMPLE_ROWS, max_cell=SAMPLE_CELL)
        if found.error is not None:  # a view may be slow or broken: what the data is, not our fault
            return f"no sample rows: {found.error.message}"
        if not found.rows:
            return "the table is empty"
        return f"sample rows:\n{table_text(found.columns, found.rows)[0]}"

    def _pragma(self, name: str, table: str) -> tuple[tuple[Cell, ...], ...]:
        """Rows about a table; none about a view that is broken, as some databases have."""
        sql = f"PRAGMA {name}({_quoted(table)})"
        return self.worker.query(self.database, sql, max_rows=5000, max_cell=200).rows


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def descriptions(folder: Path, table: str) -> dict[str, str]:
    """What BIRD's `database_description/<table>.csv` says, by lower-case name of column.

    No file is no descriptions. Real files have byte order marks, Latin-1 bytes, stray spaces and
    missing columns.

    Raises:
        DataError: the file is not CSV.
    """
    files = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    path = next((p for p in files if p.stem.strip().lower() == table.lower()), None)
    if path is None:
        return {}
    data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")  # Latin-1, with Excel's quotation marks
    found: dict[str, str] = {}
    try:
        for row in csv.DictReader(io.StringIO(text, newline="")):
            fields = {(k or "").strip(): v for k, v in row.items() if isinstance(v, str)}
            name = fields.get("original_column_name", "").strip().lower()
            found[name] = _note(name, fields)
    except csv.Error as error:
        raise DataError(f"{path}: {error}") from error
    return found


def _note(name: str, fields: dict[str, str]) -> str:
    """Description and values, on one line; nothing that only repeats the column's name."""
    texts = [
        " ".join(fields.get(field, "").split())
        for field in ("column_description", "value_description")
    ]
    spoken = name.replace("_", " ")
    kept = [text for text in texts if text and text.lower() not in (name, spoken)]
    note = "; ".join(kept)
    return note if len(note) <= DESCRIPTION else note[:DESCRIPTION].rstrip() + "..."

"""What a database holds, as the agent sees it: tables, columns, keys, descriptions, samples."""

import codecs
import csv
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from environments.bounds import OBSERVATION_CHARS, joined
from environments.errors import DataError
from environments.sql.names import find_name, named, quoted, shown_name
from environments.sql.text import Cell, described, table_text
from sandbox import QueryResult, SandboxError
from treegraft.text_files import decode, read_bytes

MOST_ROWS = 10_000
LONGEST_NAME = 1000
"""Rows of a reply about the schema, and characters of a name."""
SAMPLE_ROWS = 3
SAMPLE_CELL = 40
DESCRIPTION = 120
"""Characters of a sample cell, and of a column's description."""
SHORTER = (DESCRIPTION, 40, 0)
"""Characters of a column's description where the whole schema would be too long."""
LEAST_LINE = 80
"""Characters of a table's line in a prompt, before whole tables are left out."""

VALUES = ("value_description",)
DESCRIBED = ("column_description", *VALUES)
"""Fields of BIRD's descriptions that a prompt shows, and that `describe` shows."""

TABLES = (
    "SELECT name FROM sqlite_master"
    " WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
)
COLUMNS = (
    'SELECT m.name, x.cid, x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden'
    " FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS x"
    " WHERE m.type = 'table' ORDER BY m.rowid, x.cid"
)
REFERENCES = (
    'SELECT m.name, x.id, x.seq, x."table", x."from", x."to"'
    " FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS x"
    " WHERE m.type = 'table' ORDER BY m.rowid, x.id, x.seq"
)
"""Columns and keys of all tables at once: one by one, a thousand tables take seconds."""
KINDS = {1: "hidden", 2: "generated", 3: "generated"}
"""What SQLite's `table_xinfo` says of a column in its last field. A hidden one belongs to a virtual
table: `SELECT *` leaves it out, but it can be named."""


Rows = Sequence[tuple[Cell, ...]]


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
        note: its description, and its values.
        origin: "generated", "hidden" or "".
    """

    name: str
    kind: str
    key: bool
    required: str
    target: str
    note: str
    origin: str = ""

    @property
    def arrow(self) -> str:
        """The target, as it is written after the column."""
        return f" -> {self.target}" if self.target else ""

    def noted(self, width: int) -> str:
        """The note, cut to `width` characters; "" for 0."""
        if len(self.note) <= width:
            return self.note
        return self.note[:width].rstrip() + "..." if width else ""

    def line(self, width: int) -> str:
        """The column in a description of its table, with a note of `width` characters at most."""
        facts = [self.kind, "primary key" if self.key else self.required, self.origin]
        text = f"{shown_name(self.name)} {', '.join(filter(None, facts))}".rstrip() + self.arrow
        note = self.noted(width)
        return f"{text}: {note}" if note else text

    def short(self, width: int) -> str:
        """The column in few words; a key needs only its name and target."""
        kind = "" if self.target else self.kind.lower()
        key = "primary key" if self.key else ""
        facts = " ".join(filter(None, [named(self.name), kind, key, self.origin]))
        note = self.noted(width)
        return f"{facts}{self.arrow}" + (f" [{note}]" if note else "")


@dataclass(frozen=True, slots=True)
class Schema:
    """Reads the schema of one database through a worker."""

    worker: Queries
    database: str

    def tables(self) -> list[str]:
        """List tables and views in the order of creation; may raise `SandboxError`.

        Without the tables in which a virtual table keeps its rows.
        """
        names = [str(row[0]) for row in self._rows(TABLES)]
        kinds = self._maybe_rows("PRAGMA table_list")
        inner = {row[1] for row in kinds if row[0] == "main" and row[2] == "shadow"}
        return [name for name in names if name not in inner]

    def find(self, table: str) -> str | None:
        """Return `table` as the database spells it; None if there is no such table."""
        return find_name(table, self.tables(), ("main",))

    def layout(self) -> dict[str, list[str]]:
        """Return the names of columns by name of table, all that a query can name."""
        known = self._by_table(COLUMNS)
        return {
            table: [str(row[1]) for row in known.get(table) or self._columns(table)]
            for table in self.tables()
        }

    def columns(self) -> dict[str, list[str]]:
        """Return the names of columns by lower-case name of table."""
        return {table.lower(): names for table, names in self.layout().items()}

    def describe(self, table: str, most: int = OBSERVATION_CHARS) -> str:
        """Describe columns, keys and some rows of `table`, spelled as `find` returns it.

        Args:
            most: characters at most.

        Raises:
            DataError: a file of descriptions is malformed.
            SandboxError: the worker cannot start.
        """
        columns, sample = self._described(table), self._samples(table)
        for width in SHORTER:
            lines = [column.line(width) for column in columns]
            text = described(table, lines, sample)
            if len(text) <= most:
                return text
        return described(table, lines, sample, most)

    def overview(self, most: int = OBSERVATION_CHARS) -> str:
        """Describe each table on one line, with types, keys and meanings of values, for a prompt.

        Args:
            most: characters at most. Where all is longer, meanings are shortened, then left out;
                then the columns of wide tables, and in the end tables.

        Raises:
            DataError: a file of descriptions is malformed.
            SandboxError: the database cannot be read.
        """
        columns, references = self._by_table(COLUMNS), self._by_table(REFERENCES)
        every = {
            table: self._made(
                table,
                columns.get(table) or self._columns(table),
                references.get(table, []) if columns else self._references(table),
                VALUES,
            )
            for table in self.tables()
        }
        known = {table: found for table, found in every.items() if found}
        if not known:
            return "the database has no tables"
        for width in SHORTER:  # the views left out are broken
            text = "\n".join(_lines(known, width, sys.maxsize))
            if len(text) <= most:
                return text
        room = most
        while room > LEAST_LINE and len("\n".join(_lines(known, 0, room))) > most:
            room //= 2
        return joined(_lines(known, 0, room), most, "table")

    def columns_of(self, table: str) -> list[Column]:
        """Return the columns of a table, without those of a broken view."""
        return self._described(table)

    def _described(self, table: str) -> list[Column]:
        return self._made(table, self._columns(table), self._references(table), DESCRIBED)

    def _made(
        self, table: str, columns: Rows, references: Rows, wanted: Sequence[str]
    ) -> list[Column]:
        targets = {
            str(row[3]).lower(): f"{row[2]}.{row[4]}" if row[4] is not None else str(row[2])
            for row in references
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
                KINDS.get(int(hidden or 0), ""),
            )
            for _, name, kind, not_null, _, key, hidden in columns
        ]

    def _samples(self, table: str) -> str:
        sql = f"SELECT * FROM {quoted(table)} LIMIT {SAMPLE_ROWS}"
        found = self.worker.query(self.database, sql, max_rows=SAMPLE_ROWS, max_cell=SAMPLE_CELL)
        if found.error is not None:  # a view may be slow or broken: the data's own fault
            return f"no sample rows: {found.error.message}"
        if not found.rows:
            return "the table is empty"
        return f"sample rows:\n{table_text(found.columns, found.rows)[0]}"

    def _by_table(self, sql: str) -> dict[str, list[tuple[Cell, ...]]]:
        """Return rows by table, their first field; none if one table cannot be read."""
        found: dict[str, list[tuple[Cell, ...]]] = {}
        try:
            for table, *row in self._rows(sql):
                found.setdefault(str(table), []).append(tuple(row))
        except SandboxError:
            return {}
        return found

    def _references(self, table: str) -> Rows:
        return self._maybe_rows(f"PRAGMA foreign_key_list({quoted(table)})")

    def _columns(self, table: str) -> Rows:
        """Rows about columns; none about a view that is broken, as some databases have."""
        return self._maybe_rows(f"PRAGMA table_xinfo({quoted(table)})")

    def _maybe_rows(self, pragma: str) -> Rows:
        return self._ask(pragma).rows

    def _rows(self, sql: str) -> list[tuple[Cell, ...]]:
        """Return all rows, however many; one reply holds a bounded part of them."""
        rows: list[tuple[Cell, ...]] = []
        while True:
            found = self._ask(f"{sql} LIMIT -1 OFFSET {len(rows)}")
            if found.error is not None:
                raise SandboxError(f"cannot read {self.database}: {found.error.message}")
            rows += found.rows
            if not found.rows or (found.total == len(found.rows) and not found.more):
                return rows

    def _ask(self, sql: str) -> QueryResult:
        return self.worker.query(self.database, sql, max_rows=MOST_ROWS, max_cell=LONGEST_NAME)


def _lines(tables: Mapping[str, Sequence[Column]], width: int, most: int) -> list[str]:
    """Return a line for each table, of about `most` characters, with notes of `width`."""
    found = []
    for table, columns in tables.items():
        name, each = named(table), [column.short(width) for column in columns]
        found.append(f"{name}({joined(each, most - len(name) - 2, 'column', ', ')})")
    return found


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
        data = data.removeprefix(codecs.BOM_UTF8)
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

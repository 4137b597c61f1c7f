"""What a question can be about: a database's tables, the kinds of their columns, and references."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from environments.sql.names import named, quoted
from environments.sql.schema import Column, Queries, Schema

MOST_VALUES = 200
"""Different values of a column that are read."""
MOST_KINDS = 25
"""Different values of a column that sorts rows into kinds."""
LONGEST_VALUE = 40
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAY = re.compile(r".+ (on|at)$")
_CLAIM = re.compile(r"(is|has|needs|can) ")
"""Names that make no noun: "rented on", "is vegan". A question spells them as the table does."""

Value = str | int | float


@dataclass(frozen=True, slots=True)
class Field:
    """A column that questions can be about.

    Attributes:
        kind: "kind" (few values, each of several rows), "number", "date" or "label" (a text that
            differs from row to row).
        values: Some of its values, in order, none of them NULL.
        empty: Whether some are NULL.
    """

    table: str
    name: str
    kind: str
    values: tuple[Value, ...]
    empty: bool

    @property
    def sql(self) -> str:
        """The column as a query names it."""
        return f"{named(self.table)}.{named(self.name)}"

    @property
    def words(self) -> str:
        """The column in a question."""
        spoken = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", self.name).split()).lower()
        if _DAY.fullmatch(spoken):
            return f"date {self.name}"
        return self.name if _CLAIM.match(spoken) else spoken

    @property
    def verb(self) -> str:
        """The verb after its words."""
        return "are" if self.words.endswith("s") and not self.words.endswith("ss") else "is"


@dataclass(frozen=True, slots=True)
class Link:
    """A column that refers to another table's key.

    Attributes:
        role: What the row that it refers to is to its own, in words: "start station".
    """

    child: str
    column: str
    parent: str
    key: str
    role: str

    @property
    def join(self) -> str:
        """The condition of a join."""
        ours = f"{named(self.child)}.{named(self.column)}"
        return f"{ours} = {named(self.parent)}.{named(self.key)}"


@dataclass(frozen=True)
class Facts:
    """The facts of one database; they are read on first use."""

    worker: Queries
    database: str

    @cached_property
    def fields(self) -> dict[str, list[Field]]:
        """The fields of each table that has some."""
        found = {table: list(self._fields(table)) for table in self._columns}
        return {table: fields for table, fields in found.items() if fields}

    @cached_property
    def links(self) -> list[Link]:
        """The references between tables with fields, each table at most once as another's."""
        found = []
        for child, columns in self._columns.items():
            for column in columns:
                parent, _, key = column.target.partition(".")
                if key and parent != child and parent in self.fields and child in self.fields:
                    found.append(Link(child, column.name, parent, key, _role(column.name, parent)))
        return found

    @cached_property
    def _columns(self) -> dict[str, list[Column]]:
        schema = Schema(self.worker, self.database)
        return {table: schema.columns_of(table) for table in schema.tables()}

    def of(self, table: str, *kinds: str) -> list[Field]:
        """Return the fields of a table of these kinds."""
        return [each for each in self.fields.get(table, ()) if each.kind in kinds]

    def _fields(self, table: str) -> Iterator[Field]:
        for column in self._columns[table]:
            if column.key or column.target or column.origin:
                continue
            if (found := self._field(table, column.name)) is not None:
                yield found

    def _field(self, table: str, name: str) -> Field | None:
        column, source = quoted(name), quoted(table)
        counts = self.rows(
            f"SELECT COUNT(*), COUNT({column}), COUNT(DISTINCT {column}) FROM {source}"
        )
        values = self.rows(
            f"SELECT DISTINCT {column} FROM {source} WHERE {column} IS NOT NULL ORDER BY 1"
            f" LIMIT {MOST_VALUES}"
        )
        if not counts or not values:
            return None
        rows, filled, different = (int(number) for number in counts[0])
        kept = tuple(each[0] for each in values if _is_plain(each[0]))
        kind = _kind(kept, filled, different)
        return Field(table, name, kind, kept, filled < rows) if kind else None

    def rows(self, sql: str) -> Sequence[tuple[Value, ...]]:
        """Return the rows of a query; none if it fails."""
        found = self.worker.query(self.database, sql, max_rows=MOST_VALUES, max_cell=200)
        return [] if found.error is not None else found.rows  # type: ignore[return-value]


def _kind(values: Sequence[Value], filled: int, different: int) -> str:
    """Return the kind of a column by its values; "" for one that no question is about."""
    if different < 2 or len(values) < 2:
        return ""
    if all(isinstance(each, int | float) for each in values):
        return "number" if different > 2 else "kind"
    if not all(isinstance(each, str) for each in values):
        return ""
    if all(_DATE.fullmatch(str(each)) for each in values):
        return "date"
    return "kind" if different <= MOST_KINDS and filled >= 2 * different else "label"


def _is_plain(value: Value | None) -> bool:
    if isinstance(value, str):
        return bool(value.strip()) and len(value) <= LONGEST_VALUE and value.isprintable()
    return isinstance(value, int | float)


def _role(column: str, parent: str) -> str:
    spoken = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", column).lower()
    role = re.sub(r"\s*\b(id|code|key|no)$", "", spoken).strip()
    return role if role and role != spoken else one(parent)


def many(table: str) -> str:
    """Return the rows of a table in words."""
    spoken = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", table).split()).lower()
    return spoken if spoken.endswith("s") else f"{spoken} rows"


def one(table: str) -> str:
    """Return a row of a table in words."""
    spoken = many(table).removesuffix(" rows")
    if spoken.endswith("ies"):
        return f"{spoken[:-3]}y"
    if spoken.endswith(("sses", "ches", "shes", "xes")):
        return spoken[:-2]
    return spoken if spoken.endswith("ss") else spoken.removesuffix("s")

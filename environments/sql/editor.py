"""The interface of a database engine that the agent changes; `writable` uses it.

`sqlite.editor` and `postgres.editor` implement it. An editor is in one state of one database. A
statement that fails, for whatever reason, leaves that state unchanged. The gold statements never
run on the agent's copy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from environments.bounds import OBSERVATION_CHARS
from sandbox import QueryError, QueryResult

Layout = Mapping[str, Sequence[str]]
"""Names of columns by name of table or view, in the order of their creation."""


@dataclass(frozen=True, slots=True)
class StatementResult:
    """The result of one statement.

    Attributes:
        result: the rows that it returned, if any, and its error.
        changed: number of rows inserted, updated or deleted; None if it is another statement.
    """

    result: QueryResult
    changed: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Two digests (SHA-256) of a database, comparable within one engine only.

    Attributes:
        content: of the names of tables, views and columns, and of every row, in any order. Values
            are equal as in Python: 1 equals 1.0, and text never equals a number.
        schema: of declared types, keys, defaults, order of columns, and indexes.
    """

    content: str
    schema: str


@dataclass(frozen=True, slots=True)
class Trial:
    """The state that statements leave; None if one of them failed, as `error` says."""

    state: State | None
    error: QueryError | None = None


class Editor(Protocol):
    """A database engine that branches; for one thread at a time.

    Every method may raise `sandbox.SandboxError`.

    Attributes:
        dialect: sqlglot's name for the SQL that it runs.
    """

    dialect: str

    def open(self, database: str) -> None:
        """Go to the untouched state of a database."""

    def run(self, sql: str, *, max_rows: int, max_cell: int) -> StatementResult:
        """Run one statement of the agent; return at most `max_rows` rows."""

    def layout(self) -> Layout:
        """Return the tables and views of this state."""

    def describe(self, table: str, most: int = OBSERVATION_CHARS) -> str:
        """Describe columns, keys and some rows of a table of `layout` in `most` characters."""

    def state(self) -> State:
        """Return the digests; raise `Unreadable` if they cannot be computed within the limits."""

    def fresh_layout(self, database: str) -> Layout:
        """Return the tables and views of an untouched database, without leaving this state."""

    def trial(self, database: str, statements: Sequence[str]) -> Trial:
        """Run statements on an untouched database, without leaving this state."""

    def save(self) -> Any:
        """Return a mark of this state."""

    def back(self, mark: Any) -> None:
        """Return to the state of a mark; raise `sandbox.StateLost` if it is gone."""

    def free(self, mark: Any) -> None:
        """Drop a mark."""

    def close(self) -> None:
        """Drop everything; can be called twice. Later use opens it again."""


class Unreadable(Exception):
    """The state has no digest: a view fails or never ends, or there are too many rows."""

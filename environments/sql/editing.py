"""The contract of an engine whose databases the agent changes; `env.writable` is its consumer.

`sqlite_editor` and `postgres_editor` are the implementations. An editor stands in one state of one
database; a statement that fails, whatever the reason, leaves that state as it was. The gold
statements never run where the agent's did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox import QueryError, QueryResult

Layout = Mapping[str, Sequence[str]]
"""Names of columns by name of table or view, in the order of their making."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one statement.

    result: the rows that it returned, if it returns any, and its error.
    changed: rows inserted, updated or deleted; None where the statement does no such thing.
    """

    result: QueryResult
    changed: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What a database holds, as two digests (SHA-256); comparable within one engine only.

    content: names of tables, views and columns, and every row; the order of rows and of columns
        does not count. Values are equal as Python has it: 1 equals 1.0, text never a number.
    schema: declared types, keys, defaults, order of columns, and indexes.
    """

    content: str
    schema: str


@dataclass(frozen=True, slots=True)
class Trial:
    """The state that statements leave; `error` says which of them failed, and then it is None."""

    state: State | None
    error: QueryError | None = None


class Editor(Protocol):
    """Not to be used by two threads at once. Every method may raise `sandbox.SandboxError`.

    dialect: sqlglot's name for the SQL that it runs.
    """

    dialect: str

    def open(self, database: str) -> None:
        """Stand in the untouched state of a database."""

    def run(self, sql: str, *, max_rows: int, max_cell: int) -> Ran:
        """Run one statement of the agent's; at most `max_rows` rows of its result come back."""

    def layout(self) -> Layout:
        """The tables and views of this state."""

    def describe(self, table: str) -> str:
        """Columns, keys and some rows of a table, by its name in `layout`."""

    def state(self) -> State:
        """Digests of this state.

        Raises:
            Unreadable: it cannot be read within the limits, which is the agent's doing.
        """

    def fresh_layout(self, database: str) -> Layout:
        """The tables and views of an untouched database, wherever this editor stands."""

    def trial(self, database: str, statements: Sequence[str]) -> Trial:
        """What statements do to an untouched database, wherever this editor stands."""

    def save(self) -> Any:
        """A mark of this state."""

    def back(self, mark: Any) -> None:
        """Stand in the state of a mark.

        Raises:
            sandbox.StateLost: it is gone.
        """

    def free(self, mark: Any) -> None:
        """Drop a mark."""

    def close(self) -> None:
        """Drop everything. Twice is fine; what is used afterwards is opened again."""


class Unreadable(Exception):
    """A state that no digest can be taken of: a view that fails or never ends, too many rows."""

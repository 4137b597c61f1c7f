"""Writable tasks on a Postgres server: an `Editor` that branches by savepoint.

Limitation: one transaction is one path, so going back to a state drops the states after it; whoever
wants one of those again gets `StateLost`, and plays its path again. Depth-first searches never do.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from environments.sql.editing import Layout, Ran, State, Trial
from environments.sql.postgres_server import Server, driver
from environments.sql.postgres_session import Session
from sandbox import QueryLimits, SandboxError
from sandbox.errors import StateLost

SPENT = 256
"""Statements rolled back after which a copy is made anew: their rows still take up space."""


@dataclass(frozen=True, slots=True)
class Mark:
    """session: the one that it is of.   writes, last: as `Session.mark` has them."""

    session: Session
    writes: int
    last: int


class PostgresEditor:
    """Two sessions at most: one where the agent works, one where statements are tried."""

    dialect = "postgres"

    def __init__(self, url: str, limits: QueryLimits | None = None) -> None:
        """Connects to nothing yet.

        Raises:
            DataError: the URL is none, or psycopg is not installed.
        """
        self._server, self._limits = Server(url), limits or QueryLimits()
        self._live: Session | None = None
        self._spare: Session | None = None

    def open(self, database: str) -> None:
        with self._connected():
            self._live = self._fresh(self._live, database)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        """What the driver raises is trouble of the infrastructure: the agent's own is a result."""
        try:
            yield
        except driver().Error as error:
            raise SandboxError(f"Postgres: {self._server.complaint(error)}") from None

    def _fresh(self, session: Session | None, database: str) -> Session:
        """`session` in the untouched state of `database`, or a new one."""
        if session is not None:
            usable = session.alive and session.template == database
            if usable and session.undone < SPENT:
                session.back(0)
                return session
            session.close()
        return Session(self._server, database, self._limits)

    @property
    def _here(self) -> Session:
        if self._live is None or not self._live.alive:
            raise SandboxError("the connection to Postgres is lost")
        return self._live

    def run(self, sql: str, *, max_rows: int, max_cell: int) -> Ran:
        with self._connected():
            return self._here.run(sql, max_rows, max_cell)

    def layout(self) -> Layout:
        with self._connected():
            return self._here.layout()

    def describe(self, table: str) -> str:
        with self._connected():
            return self._here.describe(table)

    def state(self) -> State:
        with self._connected():
            return self._here.state()

    def fresh_layout(self, database: str) -> Layout:
        with self._connected():
            self._spare = self._fresh(self._spare, database)
            return self._spare.layout()

    def trial(self, database: str, statements: Sequence[str]) -> Trial:
        """The gold statements, too, pass the filter that the agent's pass."""
        with self._connected():
            self._spare = self._fresh(self._spare, database)
            for sql in statements:
                error = self._spare.run(sql, 1, 1).result.error
                if error is not None:
                    return Trial(None, error)
            return Trial(self._spare.state())

    def save(self) -> Mark:
        return Mark(self._here, *self._here.mark)

    def back(self, mark: Mark) -> None:
        session = mark.session
        if (
            session is not self._live
            or not session.alive
            or not session.holds(mark.writes, mark.last)
        ):
            raise StateLost("the savepoint is gone")
        try:
            session.back(mark.writes)
        except driver().Error:
            raise StateLost("the connection to Postgres is lost") from None

    def free(self, mark: Mark) -> None:
        """A savepoint costs nothing to keep."""

    def close(self) -> None:
        for session in (self._live, self._spare):
            if session is not None:
                session.close()
        self._live = self._spare = None

"""Writable tasks on a Postgres server: an `Editor` that branches by savepoint.

Limitation: one transaction is one path, so going back to a state drops the states after it. Going
to one of those raises `StateLost`, and the search replays its path. Depth-first searches never do.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from environments.bounds import OBSERVATION_CHARS
from environments.sql.editor import Layout, State, StatementResult, Trial
from environments.sql.postgres.server import Server, driver
from environments.sql.postgres.session import Session
from sandbox import QueryLimits, SandboxError
from sandbox.errors import StateLost

SPENT = 256
"""Number of statements rolled back before a new copy is made: their rows still take up space."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A state of a session; `writes` and `last` are those of `Session.mark`."""

    session: Session
    writes: int
    last: int


class PostgresEditor:
    """An `Editor` with up to two sessions: for the agent, and for trying statements."""

    dialect = "postgres"

    def __init__(self, url: str, limits: QueryLimits | None = None) -> None:
        """Prepare; the first use connects. Raise `DataError` as `Server` does."""
        self._server, self._limits = Server(url), limits or QueryLimits()
        self._live: Session | None = None
        self._spare: Session | None = None

    def open(self, database: str) -> None:
        """See `Editor.open`."""
        with self._connected():
            self._live = self._fresh(self._live, database)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        """Turn the driver's errors into SandboxError: the agent's own errors are results."""
        try:
            yield
        except driver().Error as error:
            raise SandboxError(f"Postgres: {self._server.complaint(error)}") from None

    def _fresh(self, session: Session | None, database: str) -> Session:
        """Return `session` in the untouched state of `database`, or a new one."""
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

    def run(self, sql: str, *, max_rows: int, max_cell: int) -> StatementResult:
        """See `Editor.run`."""
        with self._connected():
            return self._here.run(sql, max_rows, max_cell)

    def layout(self) -> Layout:
        """See `Editor.layout`."""
        with self._connected():
            return self._here.layout()

    def describe(self, table: str, most: int = OBSERVATION_CHARS) -> str:
        """See `Editor.describe`."""
        with self._connected():
            return self._here.describe(table, most)

    def state(self) -> State:
        """See `Editor.state`."""
        with self._connected():
            return self._here.state()

    def fresh_layout(self, database: str) -> Layout:
        """See `Editor.fresh_layout`."""
        with self._connected():
            self._spare = self._fresh(self._spare, database)
            return self._spare.layout()

    def trial(self, database: str, statements: Sequence[str]) -> Trial:
        """Run statements on a copy; gold statements must pass the agent's filter, too."""
        with self._connected():
            self._spare = self._fresh(self._spare, database)
            for sql in statements:
                error = self._spare.run(sql, 1, 1).result.error
                if error is not None:
                    return Trial(None, error)
            return Trial(self._spare.state())

    def save(self) -> Mark:
        """See `Editor.save`."""
        return Mark(self._here, *self._here.mark)

    def back(self, mark: Mark) -> None:
        """See `Editor.back`."""
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
        """Do nothing: a savepoint costs nothing to keep."""

    def close(self) -> None:
        """See `Editor.close`."""
        for session in (self._live, self._spare):
            if session is not None:
                session.close()
        self._live = self._spare = None

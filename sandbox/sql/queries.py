"""Run untrusted SQL over SQLite databases, read-only, bounded, in a process that can be killed.

What a query does is a result (`QueryResult.error`), also a timeout or the death of the process;
only trouble that the query did not cause is a `SandboxError`.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from sandbox.check import choose
from sandbox.errors import DatabaseUnreadable, SandboxError
from sandbox.owner import find_temporary_folder
from sandbox.program import Channel, Program
from sandbox.protocol import Quota
from sandbox.sql.database_files import DatabaseFiles
from sandbox.sql.inside import guards, query_worker
from sandbox.sql.programs import query_program

START_SECONDS = 60.0
"""How long a worker may take to start: generous, for a loaded machine."""
PIDS = 16
"""Processes and threads of a worker; it needs two."""
MOST_DATABASES = 128
"""Databases that one process may read."""
CLIENT_GRACE = 1.0
"""Seconds past the deadline (and past the worker's own kernel timer) when we kill the worker."""

Value = None | int | float | str


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may use.

    Attributes:
        seconds: of wall clock.
        sql_bytes: length of the query's text.
        cell_bytes: longest text or blob that a query may make or read.
        heap_bytes: memory of SQLite.
        address_space_bytes: memory of the whole worker.
        count_rows: how many rows are counted at most.
        reply_bytes: of the rows shown.
        compare_rows: rows of a result that can be compared.
        compare_bytes: size of a result that can be compared.
    """

    seconds: float = 2.0
    sql_bytes: int = 100_000
    cell_bytes: int = 200_000
    heap_bytes: int = 128 << 20
    address_space_bytes: int = 1 << 30
    count_rows: int = 10_000
    reply_bytes: int = 256_000
    compare_rows: int = 200_000
    compare_bytes: int = 128 << 20


@dataclass(frozen=True, slots=True)
class QueryError:
    """Why a query failed; `kind` is "sql", "denied", "timeout", "memory", "too_big" or "died"."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The result of a query.

    Attributes:
        rows: the first ones; cells are NULL (None), numbers, or text that may be cut ("...").
        total: how many rows there are, counted up to a bound.
        more: whether there are more than `total`.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()
    total: int = 0
    more: bool = False
    seconds: float = 0.0
    error: QueryError | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two queries return the same rows; all False if either failed.

    Attributes:
        left_rows: how many; None if that side failed or did not run.
    """

    set_equal: bool = False
    bag_equal: bool = False
    list_equal: bool = False
    left_rows: int | None = None
    right_rows: int | None = None
    left_error: QueryError | None = None
    right_error: QueryError | None = None


class QueryWorker:
    """A long-lived worker process; started at the first query, and again after a death.

    One thread at a time.
    """

    def __init__(
        self,
        sandbox: str = "auto",
        limits: QueryLimits | None = None,
        databases: Iterable[str | os.PathLike[str]] = (),
    ) -> None:
        """Prepare a worker.

        Args:
            databases: files that the process may read from its start. It may read nothing else;
                another database is added at its first query, which costs a new process.
        """
        self.limits = limits or QueryLimits()
        self._sandbox = sandbox
        self._databases, self._files = tuple(databases), DatabaseFiles()
        self._shown: list[Path] | None = None
        self._process: Channel | None = None
        find_temporary_folder()

    @property
    def pid(self) -> int | None:
        """The worker's process group; None if there is none, or none of ours."""
        return getattr(self._process, "pid", None)

    def query(
        self,
        database: str | os.PathLike[str],
        sql: str,
        *,
        max_rows: int = 20,
        max_cell: int = 60,
    ) -> QueryResult:
        """Run one statement.

        Args:
            max_cell: characters of a cell at most.

        Raises:
            SandboxError: the worker cannot start, or the database cannot be opened, or has changed.
        """
        request = {"op": "query", "sql": sql, "max_rows": max_rows, "max_cell": max_cell}
        reply, _ = self._ask(database, request)
        if "error" in reply:
            return QueryResult(error=QueryError(*reply["error"]))
        rows = tuple(tuple(row) for row in reply.pop("rows"))
        return QueryResult(columns=tuple(reply.pop("columns")), rows=rows, **reply)

    def compare(self, database: str | os.PathLike[str], left: str, right: str) -> Comparison:
        """Run two statements on separate connections and compare all their rows.

        Equality is Python's over SQLite's values: 1 equals 1.0, NULL equals NULL, and text never
        equals a number. Each side has the whole time limit.

        Raises:
            SandboxError: the worker cannot start, or the database cannot be opened.
        """
        reply, side = self._ask(database, {"op": "compare", "left": left, "right": right})
        if "error" in reply:
            reply = {f"{side}_error": reply["error"]}
        errors = {k: QueryError(*v) for k, v in reply.items() if k.endswith("_error")}
        return Comparison(**(reply | errors))

    def close(self) -> None:
        """End the worker. Calling it twice is fine; the next query starts a new one."""
        self._end()
        self._files.close()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(
        self, database: str | os.PathLike[str], request: dict[str, Any]
    ) -> tuple[dict[str, Any], str]:
        """Return the reply or an error, and which side of a comparison was running."""
        path = self._files.readable(database)
        texts = [request.get(key, "") for key in ("sql", "left", "right")]
        for side, text in zip(("", "left", "right"), texts, strict=True):
            if len(text) > self.limits.sql_bytes:
                message = f"the text is longer than {self.limits.sql_bytes} characters"
                return {"error": ("too_big", message)}, side
        process = self._ready(path)
        side = "left"
        try:
            process.send(json.dumps(request | {"database": str(path)}).encode())
            while True:
                reply = self._receive(process, self.limits.seconds + CLIENT_GRACE)
                if "broken" in reply:
                    raise DatabaseUnreadable(f"cannot open database {database}: {reply['broken']}")
                if "running" not in reply:
                    return reply, side
                side = reply["running"]
        except TimeoutError:
            self._end()
            return {"error": ("timeout", self._overtime())}, side
        except (EOFError, OSError):
            return {"error": self._death(process)}, side
        except BaseException:
            self._end()  # interrupted, it would answer the next query with this one's rows
            raise

    def _receive(self, process: Channel, seconds: float) -> dict[str, Any]:
        line = process.receive(seconds, 8 * self.limits.reply_bytes)
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _death(self, process: Channel) -> tuple[str, str]:
        """Return the error for a dead worker: its own timer, or a cause that we cannot know."""
        status = process.ended()
        self._end()
        if status in query_worker.TIMER_STATUS:
            return "timeout", self._overtime()
        return "died", f"the query ended the process that ran it (status {status})"

    def _overtime(self) -> str:
        return guards.overtime(self.limits.seconds)

    def _ready(self, database: Path) -> Channel:
        """Return a worker that can read `database`."""
        if self._shown is None:
            self._shown = self._files.plain(self._databases)[:MOST_DATABASES]
        if database not in self._shown:
            self._end()
            known = [path for path in self._shown if path.is_file()]
            self._shown = [*known, database][-MOST_DATABASES:]
        if self._process is None:
            self._process = self._start(self.program(self._shown))
        return self._process

    def program(self, databases: Iterable[Path]) -> Program:
        """Return the program that answers queries, which may read `databases` and nothing else."""
        return Program(
            "query worker",
            ("-I", "-S", "-B", "-c", query_program(), json.dumps(asdict(self.limits))),
            tuple(sorted(databases)),
            Quota(memory_bytes=self.limits.address_space_bytes, pids=PIDS),
        )

    def _start(self, program: Program) -> Channel:
        backend = choose(self._sandbox).backend
        process = backend.start(program)
        try:
            self._receive(process, START_SECONDS)
        except (EOFError, TimeoutError) as error:
            process.ended()
            complaint = process.complaint()
            process.kill()
            raise SandboxError(
                f"the query worker did not start ({backend.name}): {complaint or error}"
            ) from error
        return process

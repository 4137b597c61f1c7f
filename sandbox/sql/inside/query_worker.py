"""The program that runs untrusted queries: JSON requests in, JSON replies out, one per line.

`sandbox.sql.queries` starts it. Each guard alone has a hole, so all of them are on at once:

- the database is opened read-only, by a fresh connection for each query: no state is carried over;
- an authorizer allows reading and calling functions, and nothing else;
- SQLite's own limits, a hard heap limit, and resource limits of the process bound memory and files;
- a progress handler ends a query at its deadline; a query that escapes the handler (one opcode can
  run for minutes) hits a kernel timer, whose SIGALRM ends this process;
- a thread ends this process as soon as stdin closes, even during a query, so that nothing outlives
  a killed engine. PR_SET_PDEATHSIG would not do: it fires when the *thread* that spawned us ends.
"""

import contextlib
import json
import os
import queue
import resource
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from .guards import (
    PROGRESS_STEPS,
    connect_virtual_tables,
    describe,
    may_read,
    read_only_uri,
    set_limits,
    show,
)

KERNEL_GRACE = 0.25
"""Seconds between a query's deadline and the end of this process."""

TIMER_STATUS = (-signal.SIGALRM, 128 + signal.SIGALRM)
"""Exit status after that timer, of this process or of the bubblewrap around it (see subprocess)."""


class QueryFailed(Exception):
    """The query failed; `args` are the error's kind and message."""


class DatabaseUnusable(Exception):
    """The database cannot be opened; the query is not to blame."""


def authorize(code: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Allow reads only; SQLite calls this for each part of a statement."""
    # SQLite announces in this way that it declares a table-valued function such as json_each. It
    # refuses statements that update this table before it asks the authorizer.
    declares = code == sqlite3.SQLITE_UPDATE and first == "sqlite_master"
    return sqlite3.SQLITE_OK if declares or may_read(code, first, second) else sqlite3.SQLITE_DENY


def connect(path: str, limits: dict[str, Any], on_error: str) -> sqlite3.Connection:
    """Open a guarded connection; `on_error` names the codec error handler for broken UTF-8."""
    try:
        db = sqlite3.connect(read_only_uri(path), uri=True, isolation_level=None)
        db.execute("PRAGMA schema_version")  # the first read: is it a database at all?
    except sqlite3.Error as error:
        raise DatabaseUnusable(str(error)) from error
    db.execute(f"PRAGMA hard_heap_limit={int(limits['heap_bytes'])}")
    db.execute("PRAGMA query_only=ON")
    set_limits(db, limits, trigger_depth=1)
    db.text_factory = lambda data: data.decode("utf-8", on_error)
    connect_virtual_tables(db)
    db.set_authorizer(authorize)
    return db


@contextlib.contextmanager
def running(path: str, sql: str, limits: dict[str, Any], on_error: str) -> Iterator[sqlite3.Cursor]:
    """Yield a cursor over `sql`, under the deadline; raise `QueryFailed` if it is cut short."""
    seconds = float(limits["seconds"])
    deadline = time.monotonic() + seconds
    signal.setitimer(signal.ITIMER_REAL, seconds + KERNEL_GRACE)
    try:
        with contextlib.closing(connect(path, limits, on_error)) as db:
            db.set_progress_handler(lambda: time.monotonic() > deadline, PROGRESS_STEPS)
            cursor = db.execute(sql)
            if cursor.description is None:
                raise QueryFailed("sql", "there is no query in this text")
            yield cursor
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
        raise QueryFailed(*describe(error, seconds, "query")) from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def query(request: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """Return the first rows, and how many there are (counted up to a bound)."""
    width, room = request["max_cell"], limits["reply_bytes"]
    rows: list[list[Any]] = []
    total, more, started = 0, False, time.monotonic()
    with running(request["database"], request["sql"], limits, "replace") as cursor:
        columns = [show(column[0], width) for column in cursor.description]
        room -= len(json.dumps(columns))
        for row in cursor:
            if total >= limits["count_rows"]:
                more = True
                break
            total += 1
            if len(rows) < request["max_rows"] and room > 0:
                cells = [show(value, width) for value in row]
                room -= len(json.dumps(cells))
                if room > 0:
                    rows.append(cells)
    seconds = time.monotonic() - started
    return {"columns": columns, "rows": rows, "total": total, "more": more, "seconds": seconds}


def fetch(database: str, sql: str, limits: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return every row of `sql`, within bounds on number and bytes."""
    rows: list[tuple[Any, ...]] = []
    room = limits["compare_bytes"]
    # surrogateescape, unlike replace, keeps different bytes different.
    with running(database, sql, limits, "surrogateescape") as cursor:
        for row in cursor:
            room -= sum(map(sys.getsizeof, row)) + 64
            if len(rows) >= limits["compare_rows"] or room < 0:
                raise QueryFailed("too_big", "the query returns too many rows to be compared")
            rows.append(row)
    return rows


def compare(request: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """Compare the rows of two queries as sets, as multisets and as lists."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    answer: dict[str, Any] = {}
    for side in ("left", "right"):
        send({"running": side})  # if this process dies, the host knows which side to blame
        try:
            found[side] = fetch(request["database"], request[side], limits)
            answer[f"{side}_rows"] = len(found[side])
        except QueryFailed as failure:
            answer[f"{side}_error"] = failure.args
    if len(found) == 2:
        left, right = found["left"], found["right"]
        answer["set_equal"] = set(left) == set(right)
        answer["bag_equal"] = len(left) == len(right) and Counter(left) == Counter(right)
        answer["list_equal"] = left == right
    return answer


OPERATIONS = {"query": query, "compare": compare}


def answer(request: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """Return the reply to one request."""
    try:
        return OPERATIONS[request["op"]](request, limits)
    except QueryFailed as failure:
        return {"error": failure.args}
    except DatabaseUnusable as trouble:
        return {"broken": str(trouble)}
    except MemoryError as error:
        return {"error": describe(error, limits["seconds"], "query")}


def send(reply: dict[str, Any]) -> None:
    """Write one line to the host."""
    sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n")
    sys.stdout.buffer.flush()


def follow_stdin() -> "queue.SimpleQueue[bytes]":
    """Return a queue of requests; end this process, whatever it is doing, once stdin closes."""
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            requests.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return requests


def confine(limits: dict[str, Any]) -> None:
    """Bound this process, and arm the kernel's timer whatever signal settings were inherited."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    for limit, value in (
        (resource.RLIMIT_AS, limits["address_space_bytes"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
    ):
        resource.setrlimit(limit, (value, value))


def main() -> None:
    """Serve requests until stdin closes."""
    limits = json.loads(sys.argv[1])
    confine(limits)
    requests = follow_stdin()
    send({"ready": sqlite3.sqlite_version})
    while True:
        send(answer(json.loads(requests.get()), limits))

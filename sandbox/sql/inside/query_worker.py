"""The program that runs untrusted queries: one JSON request a line in, one JSON reply a line out.

Standard library only; started by `sandbox.launch`, spoken to by `sandbox.sql.queries`. Each guard alone
has a hole, so all of them are on at once:

- the database is opened read-only, by a fresh connection for each query: no state is carried over;
- an authorizer allows reading and calling functions, and nothing else;
- SQLite's own limits, a hard heap limit, and resource limits of the process bound memory and files;
- a progress handler ends a query at its deadline; what passes that handler (one opcode can run for
  minutes) meets a kernel timer, whose SIGALRM ends this process;
- a thread that sees stdin close ends this process in the midst of a query, so that nothing outlives
  a killed engine. PR_SET_PDEATHSIG would not do: it fires when the *thread* that spawned us ends.

Limits: `random()` is refused, because the same query must bring the same rows; the clock
(`date('now')`) is not, since honest queries ask for it.
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
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from typing import Any

KERNEL_GRACE = 0.25
"""Seconds between a query's deadline and the end of this process."""

TIMER_STATUS = (-signal.SIGALRM, 128 + signal.SIGALRM)
"""How this process, or bubblewrap around it, ends by that timer (as subprocess tells it)."""

ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
PRAGMAS = {
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "table_info",
    "table_list",
    "table_xinfo",
}
REFUSED_FUNCTIONS = {"fts3_tokenizer", "load_extension", "random", "randomblob"}

KINDS = {
    sqlite3.SQLITE_AUTH: "denied",
    sqlite3.SQLITE_READONLY: "denied",
    sqlite3.SQLITE_INTERRUPT: "timeout",
    sqlite3.SQLITE_NOMEM: "memory",
    sqlite3.SQLITE_TOOBIG: "too_big",
}


class Refused(Exception):
    """The query failed; `args` are the kind and the message that the client is told."""


class Broken(Exception):
    """The database cannot be opened: not the query's fault."""


def authorize(code: int, first: str | None, second: str | None, *_: str | None) -> int:
    if code in ALLOWED:
        return sqlite3.SQLITE_OK
    if code == sqlite3.SQLITE_FUNCTION:
        allowed = (second or "").lower() not in REFUSED_FUNCTIONS
    elif code == sqlite3.SQLITE_PRAGMA:
        allowed = (first or "").lower() in PRAGMAS
    else:
        # How SQLite announces that it declares a table-valued function such as json_each; a
        # statement that updates this table is refused before it comes here.
        allowed = code == sqlite3.SQLITE_UPDATE and first == "sqlite_master"
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def connect(path: str, limits: dict[str, Any], on_error: str) -> sqlite3.Connection:
    """A guarded connection; on_error: how text that is not UTF-8 is decoded."""
    uri = f"file:{urllib.parse.quote(path)}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        connection.execute("PRAGMA schema_version")  # the first read: is it a database at all?
    except sqlite3.Error as error:
        raise Broken(f"cannot open database {path}: {error}") from error
    connection.execute(f"PRAGMA hard_heap_limit={int(limits['heap_bytes'])}")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA query_only=ON")
    for limit, value in (
        (sqlite3.SQLITE_LIMIT_LENGTH, limits["cell_bytes"]),
        (sqlite3.SQLITE_LIMIT_SQL_LENGTH, limits["sql_bytes"]),
        (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
        (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 100),
        (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 300),
        (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
        (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
    ):
        connection.setlimit(limit, value)
    connection.text_factory = lambda data: data.decode("utf-8", on_error)
    connection.set_authorizer(authorize)
    return connection


@contextlib.contextmanager
def running(path: str, sql: str, limits: dict[str, Any], on_error: str) -> Iterator[sqlite3.Cursor]:
    """A cursor over `sql`, under the deadline; whatever ends the query is `Refused`."""
    seconds = float(limits["seconds"])
    deadline = time.monotonic() + seconds
    signal.setitimer(signal.ITIMER_REAL, seconds + KERNEL_GRACE)
    try:
        with contextlib.closing(connect(path, limits, on_error)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, 500)
            cursor = connection.execute(sql)
            if cursor.description is None:
                raise Refused("sql", "there is no query in this text")
            yield cursor
    except sqlite3.Error as error:
        raise Refused(*_kind(error, seconds)) from error
    except MemoryError as error:
        raise Refused("memory", "the query needs too much memory and was stopped") from error
    except (ValueError, sqlite3.Warning) as error:  # UnicodeError is a ValueError
        raise Refused("sql", str(error)) from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _kind(error: sqlite3.Error, seconds: float) -> tuple[str, str]:
    message = str(error)[:500]
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    kind = KINDS.get(code & 0xFF, "sql")
    if message.startswith("not authorized"):
        kind = "denied"
    if kind == "timeout":
        message = overtime(seconds)
    return kind, message


def overtime(seconds: float) -> str:
    return f"the query ran longer than {seconds:g} s and was stopped"


def shown(value: Any, width: int) -> Any:
    """A cell as it travels: numbers and NULL as they are, the rest as text of `width` at most."""
    if isinstance(value, bytes):
        text = f"x'{value[: width // 2].hex()}'"
        return text if len(value) <= width // 2 else text[:-1] + "...'"
    if isinstance(value, str) and len(value) > width:
        return value[:width] + "..."
    return value


def query(request: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """The first rows, and how many there are (counted up to a bound)."""
    width, room = request["max_cell"], limits["reply_bytes"]
    rows: list[list[Any]] = []
    total, more, started = 0, False, time.monotonic()
    with running(request["database"], request["sql"], limits, "replace") as cursor:
        columns = [shown(column[0], width) for column in cursor.description]
        room -= len(json.dumps(columns))
        for row in cursor:
            if total >= limits["count_rows"]:
                more = True
                break
            total += 1
            if len(rows) < request["max_rows"] and room > 0:
                cells = [shown(value, width) for value in row]
                room -= len(json.dumps(cells))
                if room > 0:
                    rows.append(cells)
    seconds = time.monotonic() - started
    return {"columns": columns, "rows": rows, "total": total, "more": more, "seconds": seconds}


def fetch(database: str, sql: str, limits: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Every row of `sql`, within bounds of number and bytes."""
    rows: list[tuple[Any, ...]] = []
    room = limits["compare_bytes"]
    # surrogateescape, unlike replace, keeps different bytes different.
    with running(database, sql, limits, "surrogateescape") as cursor:
        for row in cursor:
            room -= sum(map(sys.getsizeof, row)) + 64
            if len(rows) >= limits["compare_rows"] or room < 0:
                raise Refused("too_big", "the query returns too many rows to be compared")
            rows.append(row)
    return rows


def compare(request: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """Whether two queries bring the same rows, as sets, as multisets and as lists."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    answer: dict[str, Any] = {}
    for side in ("left", "right"):
        send({"running": side})  # so that a death is laid at the right door
        try:
            found[side] = fetch(request["database"], request[side], limits)
            answer[f"{side}_rows"] = len(found[side])
        except Refused as refusal:
            answer[f"{side}_error"] = refusal.args
    if len(found) == 2:
        left, right = found["left"], found["right"]
        answer["set_equal"] = set(left) == set(right)
        answer["bag_equal"] = len(left) == len(right) and Counter(left) == Counter(right)
        answer["list_equal"] = left == right
    return answer


OPERATIONS = {"query": query, "compare": compare}


def answer(request: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    try:
        return OPERATIONS[request["op"]](request, limits)
    except Refused as refusal:
        return {"error": refusal.args}
    except Broken as trouble:
        return {"broken": str(trouble)}
    except MemoryError:
        return {"error": ("memory", "the query needs too much memory and was stopped")}


def send(reply: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n")
    sys.stdout.buffer.flush()


def follow_stdin() -> "queue.SimpleQueue[bytes]":
    """Requests as they come; when stdin closes, the process is over, whatever it is doing."""
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            requests.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return requests


def confine(limits: dict[str, Any]) -> None:
    """Bound this process; inherited signal settings must not disarm the kernel's timer."""
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
    limits = json.loads(sys.argv[1])
    confine(limits)
    requests = follow_stdin()
    send({"ready": sqlite3.sqlite_version})
    while True:
        send(answer(json.loads(requests.get()), limits))


if __name__ == "__main__":
    main()

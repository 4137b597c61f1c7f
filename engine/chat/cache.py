"""List and prune the journal of paid replies, for `engine cache`."""

import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.chat.journal_db import existing


@dataclass(frozen=True, slots=True)
class Entry:
    """A paid reply.

    Attributes:
        time: when it was committed, UTC, ISO 8601.
        size: bytes.
    """

    time: str
    model: str
    base_url: str
    prompt_tokens: int
    completion_tokens: int
    usd: float
    size: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a whole journal.   usd: dollars paid.   size: bytes of replies."""

    replies: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    size: int


def entries(path: Path, *, model: str | None = None, limit: int = 20) -> list[Entry]:
    """Return at most `limit` replies, newest first.

    Raises:
        JournalError: there is no journal at `path`, or it is damaged.
    """
    query = (
        "SELECT created, model, base_url, prompt_tokens, completion_tokens, usd, length(reply)"
        " FROM replies WHERE ?1 IS NULL OR model = ?1 ORDER BY created DESC LIMIT ?2"
    )
    with existing(path) as db:
        rows = db.execute(query, [model, limit]).fetchall()
    return [Entry(datetime.fromtimestamp(row[0], UTC).isoformat(), *row[1:]) for row in rows]


def totals(path: Path) -> Totals:
    """Return sums over all replies.

    Raises:
        JournalError: there is no journal at `path`, or it is damaged.
    """
    query = (
        "SELECT count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0),"
        " total(usd), coalesce(sum(length(reply)), 0) FROM replies"
    )
    with existing(path) as db:
        return Totals(*db.execute(query).fetchone())


def prune(
    path: Path,
    *,
    older_than_days: float | None = None,
    model: str | None = None,
    base_url: str | None = None,
) -> int:
    """Delete the replies that match every given condition, and return how many.

    Raises:
        JournalError: there is no journal at `path`, or it is damaged.
    """
    before = None if older_than_days is None else time.time() - older_than_days * 86400
    query = (
        "DELETE FROM replies WHERE (?1 IS NULL OR created < ?1) AND (?2 IS NULL OR model = ?2)"
        " AND (?3 IS NULL OR base_url = ?3)"
    )
    with existing(path) as db:
        number = db.execute(query, [before, model, base_url]).rowcount
        with suppress(sqlite3.OperationalError):  # a run is writing: the file shrinks later
            db.execute("PRAGMA busy_timeout = 1000")
            db.execute("VACUUM")
    return number

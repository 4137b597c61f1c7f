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
        usd: dollars paid; None if no price was known.
        size: bytes.
    """

    time: str
    model: str
    base_url: str
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
    size: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a whole journal.

    Attributes:
        usd: dollars paid for replies with a known price.
        size: bytes of replies.
        unpriced: replies without a known price.
    """

    replies: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    size: int
    unpriced: int = 0


_UNPRICED = "usd = 0 AND prompt_tokens + completion_tokens > 0"


def entries(path: Path, *, model: str | None = None, limit: int = 20) -> list[Entry]:
    """Return at most `limit` replies, newest first.

    Raises:
        JournalError: there is no journal at `path`, or it is damaged.
    """
    query = (
        "SELECT created, model, base_url, prompt_tokens, completion_tokens,"
        f" iif({_UNPRICED}, NULL, usd), length(reply)"
        " FROM replies WHERE ?1 IS NULL OR model = ?1 ORDER BY created DESC LIMIT ?2"
    )
    with existing(path) as db:
        rows = db.execute(query, [model, limit]).fetchall()
    return [Entry(datetime.fromtimestamp(row[0], UTC).isoformat(), *row[1:]) for row in rows]


def has_replies(path: Path, base_url: str) -> bool:
    """Return whether the journal at `path`, if there is one, holds a reply of an endpoint.

    Raises:
        JournalError: it is damaged.
    """
    if not path.is_file():
        return False
    with existing(path) as db:
        query = "SELECT EXISTS (SELECT 1 FROM replies WHERE base_url = ?)"
        return bool(db.execute(query, [base_url]).fetchone()[0])


def totals(path: Path) -> Totals:
    """Return sums over all replies.

    Raises:
        JournalError: there is no journal at `path`, or it is damaged.
    """
    query = (
        "SELECT count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0),"
        " total(usd), coalesce(sum(length(reply)), 0),"
        f" coalesce(sum({_UNPRICED}), 0) FROM replies"
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

"""The journal's SQLite file: its schema, opening it, and the format of replies in it.

A file that is not a journal, or is damaged, raises an error that names it, and is never changed.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any

from engine.chat.base import ChatReply
from search.usage import Usage
from treegraft.errors import TreegraftError

_APPLICATION = 0x54524A4C  # "TRJL"
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (
    key BLOB PRIMARY KEY,  -- sha256, see request_key
    created REAL NOT NULL,  -- seconds since 1970
    model TEXT NOT NULL,
    base_url TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    usd REAL NOT NULL,
    reply BLOB NOT NULL  -- JSON
)"""
_PATIENCE = 60.0  # seconds to wait for another process to finish writing


class JournalError(TreegraftError):
    """The journal cannot be read or written. Its content is left as it is."""


def open_journal(path: Path) -> sqlite3.Connection:
    """Return a connection to the journal at `path`; create it if the file is absent or empty."""
    db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        application, tables = _identity(db)
        if (application, tables) == (0, 0):  # no other file is ever changed
            _create(db)
            application, tables = _identity(db)
        if application != _APPLICATION:
            raise JournalError(f"{path} is not a journal; name another file by --journal")
        if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            raise JournalError(f"{path} is a journal of another version of Treegraft")
        db.execute("PRAGMA synchronous = FULL")
    except BaseException:
        db.close()
        raise
    return db


def _identity(db: sqlite3.Connection) -> tuple[int, int]:
    """Return (application id, number of tables), read at once: another process may create them."""
    db.execute("BEGIN")
    try:
        [tables] = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        [application] = db.execute("PRAGMA application_id").fetchone()
    finally:
        db.execute("ROLLBACK")
    return application, tables


def _create(db: sqlite3.Connection) -> None:
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:  # switching to WAL does not wait for another process that does the same
            db.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)
    with transaction(db):
        db.execute(_SCHEMA)
        db.execute(f"PRAGMA application_id = {_APPLICATION}")
        db.execute(f"PRAGMA user_version = {_VERSION}")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done inside, or roll it back on an error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def existing(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the journal at `path`, and close it.

    Raises:
        JournalError: there is no journal, or it is damaged.
    """
    if not path.is_file():
        raise JournalError(f"there is no journal at {path}")
    with errors(path), closing(open_journal(path)) as db:
        yield db


@contextmanager
def errors(path: Path) -> Iterator[None]:
    """Turn errors into a JournalError that names the file. ValueError: a reply is not JSON."""
    try:
        yield
    except (sqlite3.Error, OSError, ValueError, OverflowError) as error:
        raise JournalError(f"{path}: {error}; nothing was deleted") from error


def to_json(value: Any, **options: Any) -> bytes:
    """Return JSON as bytes. Lone surrogates are kept: strings that differ must stay different."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), **options)
    return text.encode("utf-8", "surrogatepass")


def encode_reply(reply: ChatReply) -> bytes:
    """Return `reply` as the journal keeps it; without its key."""
    fields = [reply.messages, astuple(reply.usage), reply.model, reply.finish]
    more: list[Any] = [reply.logprobs, reply.unread]
    while more and not more[-1]:
        more.pop()
    return to_json([*fields, *more])


def decode_reply(data: bytes) -> ChatReply:
    """Return the reply that `encode_reply` wrote."""
    messages, usage, model, finish, *more = json.loads(data.decode("utf-8", "surrogatepass"))
    logprobs = tuple(more[0]) if more else ()
    unread = more[1] if len(more) > 1 else {}
    return ChatReply(tuple(messages), Usage(*usage), model, tuple(finish), logprobs, unread)


def storable(name: str) -> str:
    """Return `name` without lone surrogates, which SQLite rejects."""
    return name.encode("utf-8", "replace").decode("utf-8")

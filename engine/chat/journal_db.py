"""The journal's file: its schema, how it is opened, and how replies are written in it.

A file that is not a journal, or is broken, is an error that names it; it is never changed.
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
    """The journal cannot be read or written. What it holds is left as it is."""


def open_journal(path: Path) -> sqlite3.Connection:
    """A connection to the journal at `path`, made if there is no file or an empty one."""
    db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        application, tables = _identity(db)
        if (application, tables) == (0, 0):  # ours to make; nothing else is ever changed
            _make(db)
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
    """(application id, number of tables), both of one moment: another process may be making it."""
    db.execute("BEGIN")
    try:
        [tables] = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        [application] = db.execute("PRAGMA application_id").fetchone()
    finally:
        db.execute("ROLLBACK")
    return application, tables


def _make(db: sqlite3.Connection) -> None:
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:  # turning to WAL does not wait for another process that does the same
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
    if not path.is_file():
        raise JournalError(f"there is no journal at {path}")
    with errors(path), closing(open_journal(path)) as db:
        yield db


@contextmanager
def errors(path: Path) -> Iterator[None]:
    """Name the file in what goes wrong with it. ValueError: a reply that is not JSON."""
    try:
        yield
    except (sqlite3.Error, OSError, ValueError, OverflowError) as error:
        raise JournalError(f"{path}: {error}; nothing was deleted") from error


def to_json(value: Any, **options: Any) -> bytes:
    """JSON as bytes. Half a surrogate pair is passed on as it is: strings that differ must too."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), **options)
    return text.encode("utf-8", "surrogatepass")


def encoded(reply: ChatReply) -> bytes:
    said = [reply.messages, astuple(reply.usage), reply.model, reply.finish]
    return to_json([*said, reply.logprobs] if reply.logprobs else said)


def decoded(data: bytes) -> ChatReply:
    messages, usage, model, finish, *more = json.loads(data.decode("utf-8", "surrogatepass"))
    logprobs = tuple(more[0]) if more else ()
    return ChatReply(tuple(messages), Usage(*usage), model, tuple(finish), logprobs)


def storable(name: str) -> str:
    """A name that SQLite takes."""
    return name.encode("utf-8", "replace").decode("utf-8")

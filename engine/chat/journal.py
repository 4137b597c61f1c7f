"""Every paid reply, committed before it is used, so that it is never paid for again.

Search is a deterministic function of task, seed and replies. So a run that was cut off, even by
kill -9, resumes by running again over its journal. The journal is one SQLite file (WAL,
synchronous = FULL) that several processes may share. A writer thread commits all waiting replies
with one fsync, so the event loop never waits for the disk.

Limitations: two processes that send the same request at the same time both pay, and both use the
reply that was committed first. WAL needs a local file system.
"""

import asyncio
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol, Self

from engine.chat.base import Chat, ChatReply, ChatRequest
from engine.chat.journal_db import (
    JournalError,
    decode_reply,
    encode_reply,
    errors,
    open_journal,
    storable,
    to_json,
    transaction,
)
from search.usage import Usage

_INSERT = "INSERT INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
_SELECT = "SELECT reply FROM replies WHERE key = ?"


def request_key(base_url: str, request: ChatRequest) -> str:
    """Return 64 hex digits that are equal for requests equal on the wire, and only for these.

    Raises:
        TypeError, ValueError: the request is not JSON (bytes, NaN): a defect of ours.
    """
    fields = {
        "base_url": base_url,
        "model": request.model,
        "messages": request.messages,
        "tools": request.tools,
        "sampling": dict(request.sampling),
        "occurrence": request.occurrence,
    }
    return sha256(to_json(fields, sort_keys=True, allow_nan=False)).hexdigest()


class ReplyStore(Protocol):
    """What `CachedChat` needs of a journal: a `Journal`, or a remote worker's way to it."""

    async def get(self, key: str) -> ChatReply | None:
        """See `Journal.get`."""

    async def put(self, key: str, base_url: str, model: str, reply: ChatReply) -> ChatReply:
        """See `Journal.put`."""


@dataclass(frozen=True, slots=True)
class _Put:
    """A row waiting for its commit, and the future of the reply then kept under its key."""

    row: tuple[Any, ...]
    kept: Future[bytes]


class Journal:
    """An open journal. All threads of the process may use it.

    Raises:
        JournalError: the file is not a journal, is damaged or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._reader = open_journal(path)
            self._writer = open_journal(path)
        self._queue: SimpleQueue[_Put | None] = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Commit what was put, and close the file. Closing again does nothing."""
        with self._closing:
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._reader.close()
        self._writer.close()

    async def get(self, key: str) -> ChatReply | None:
        """Return the reply kept under `key`, if any; in WAL, it does not wait for a writer."""
        with errors(self.path):
            row = self._reader.execute(_SELECT, [bytes.fromhex(key)]).fetchone()
            return decode_reply(row[0]) if row else None

    async def put(self, key: str, base_url: str, model: str, reply: ChatReply) -> ChatReply:
        """Commit `reply`, and return the reply kept under `key`: an earlier one if there is one.

        The commit goes on if the caller is cancelled.

        Raises:
            JournalError: the reply could not be committed.
        """
        usage = reply.usage
        row = (
            bytes.fromhex(key),
            time.time(),
            storable(model),
            storable(base_url),
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.usd,
            encode_reply(reply),
        )
        put = _Put(row, Future())
        put.kept.set_running_or_notify_cancel()  # the commit goes on if the caller is cancelled
        with self._closing:  # nothing is queued after the last item
            if self._closed:
                raise JournalError(f"{self.path} is closed; the reply is not kept")
            self._queue.put(put)
        return decode_reply(await asyncio.wrap_future(put.kept))

    def _write(self) -> None:
        """Commit all that is queued, again and again, until `close`. Runs in the writer thread."""
        more = True
        while more:
            waiting = [self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get())
            more = None not in waiting
            batch = [put for put in waiting if put is not None]
            if not batch:
                continue
            try:
                with errors(self.path):
                    replies = self._commit(batch)
            except JournalError as error:
                for put in batch:
                    put.kept.set_exception(error)
            else:
                for put, reply in zip(batch, replies, strict=True):
                    put.kept.set_result(reply)

    def _commit(self, batch: list[_Put]) -> list[bytes]:
        """Commit `batch`, and return what the journal keeps under each key."""
        kept = []
        with transaction(self._writer):
            for put in batch:
                new = self._writer.execute(_INSERT, put.row).rowcount
                row = None if new else self._writer.execute(_SELECT, put.row[:1]).fetchone()
                kept.append(row[0] if row else put.row[-1])
        return kept


class CachedChat:
    """A Chat that answers from the journal, and passes other requests on.

    Equal requests at the same time are sent once. A request under way goes on when its caller is
    cancelled, since it is paid for: see `drain`.

    Attributes:
        paid: cost of the replies that were paid for here; the budget counts only these.
        cached: cost of the other replies, when they were paid for; a run's progress shows both.
    """

    def __init__(self, chat: Chat, journal: ReplyStore) -> None:
        self.base_url = chat.base_url
        self.paid = Usage()
        self.cached = Usage()
        self._chat, self._journal = chat, journal
        self._under_way: dict[str, asyncio.Task[ChatReply]] = {}

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer `request`; see `Chat`.

        Equal requests get equal replies, byte for byte, with the `key` they are kept under.

        Raises:
            JournalError: the reply could not be kept.
        """
        key = request_key(self.base_url, request)
        answering = self._under_way.get(key)
        if answering is not None:
            reply = await asyncio.shield(answering)
            self.cached += reply.usage
            return reply
        answering = asyncio.create_task(self._answer(key, request))
        self._under_way[key] = answering
        answering.add_done_callback(lambda task: self._answered(key, task))
        return await asyncio.shield(answering)

    async def drain(self, seconds: float) -> int:
        """Wait for the requests under way, whose replies are kept; cancel and count the rest."""
        if not self._under_way:
            return 0
        _, late = await asyncio.wait(list(self._under_way.values()), timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    async def _answer(self, key: str, request: ChatRequest) -> ChatReply:
        kept = await self._journal.get(key)
        if kept is not None:
            self.cached += kept.usage
            return replace(kept, key=key)
        reply = await self._chat.complete(request)
        self.paid += reply.usage
        kept = await self._journal.put(key, self.base_url, request.model, reply)
        return replace(kept, key=key)

    def _answered(self, key: str, task: asyncio.Task[ChatReply]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # marks it as retrieved: all callers may have been cancelled

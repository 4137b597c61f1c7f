"""Every paid reply, committed before it is used: what is here is never paid for again.

Search is a deterministic function of task, seed and replies, so a run that was cut off, by kill -9
too, goes on by running again over its journal. One SQLite file (WAL, synchronous = FULL), which
several processes may share; a writer thread commits all replies that wait in one fsync, so that
the event loop never does.

Limitations: two processes that ask the same at the same time both pay, and use the reply that was
committed first. WAL needs a local file system.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

from engine.chat.base import Chat, ChatReply, ChatRequest
from engine.chat.journal_db import (
    JournalError,
    decoded,
    encoded,
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
    """64 hex digits: equal for what is the same request on the wire, and for no other.

    Raises:
        TypeError, ValueError: the request is not JSON (bytes, NaN): a defect of ours.
    """
    asked = {
        "base_url": base_url,
        "model": request.model,
        "messages": request.messages,
        "tools": request.tools,
        "sampling": dict(request.sampling),
        "occurrence": request.occurrence,
    }
    return sha256(to_json(asked, sort_keys=True, allow_nan=False)).hexdigest()


@dataclass(frozen=True, slots=True)
class _Put:
    """A row that waits for its commit, and the future of the reply then kept under its key."""

    row: tuple[Any, ...]
    loop: asyncio.AbstractEventLoop
    kept: asyncio.Future[bytes]


class Journal:
    """An open journal, of one process; any of its threads may use it.

    Raises:
        JournalError: the file is another program's, is damaged or cannot be written.
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
        """Commit what was put, and close the file. A second time does nothing."""
        with self._closing:
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._reader.close()
        self._writer.close()

    def get(self, key: str) -> ChatReply | None:
        """The reply kept under `key`. Takes microseconds: in WAL, no writer holds it up."""
        with errors(self.path):
            row = self._reader.execute(_SELECT, [bytes.fromhex(key)]).fetchone()
            return decoded(row[0]) if row else None

    async def put(
        self, key: str, base_url: str, request: ChatRequest, reply: ChatReply
    ) -> ChatReply:
        """Keep `reply`. Once committed: what is kept under `key`, another's if it came first.

        The commit goes on when the caller is cancelled.

        Raises:
            JournalError
        """
        loop, usage = asyncio.get_running_loop(), reply.usage
        row = (
            bytes.fromhex(key),
            time.time(),
            storable(request.model),
            storable(base_url),
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.usd,
            encoded(reply),
        )
        put = _Put(row, loop, loop.create_future())
        with self._closing:  # nothing is put behind the last
            if self._closed:
                raise JournalError(f"{self.path} is closed; the reply is not kept")
            self._queue.put(put)
        return decoded(await put.kept)

    def _write(self) -> None:
        """The writer thread: commits what waits, all at once, until it is told to stop."""
        more = True
        while more:
            waiting = [self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get())
            more = None not in waiting
            batch = [put for put in waiting if put is not None]
            if not batch:
                continue
            result: list[bytes] | JournalError
            try:
                with errors(self.path):
                    result = self._commit(batch)
            except JournalError as error:
                result = error
            # One wake-up a batch; a closed loop has nobody left who waits.
            for loop in {put.loop for put in batch}:
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(_settle, loop, batch, result)

    def _commit(self, batch: list[_Put]) -> list[bytes]:
        """What the journal keeps under the key of each of `batch`, committed."""
        kept = []
        with transaction(self._writer):
            for put in batch:
                new = self._writer.execute(_INSERT, put.row).rowcount
                row = None if new else self._writer.execute(_SELECT, put.row[:1]).fetchone()
                kept.append(row[0] if row else put.row[-1])
        return kept


class CachedChat:
    """A Chat that answers from the journal, and asks another for the rest.

    A request that is being asked is not asked a second time; and one that is being asked goes on
    when its caller is cancelled, since it is paid for: see `drain`.

    paid: what the replies cost that were asked for here.   cached: what those cost, when they were
    paid, that were not; a run's progress shows both, its budget only the first.
    """

    def __init__(self, chat: Chat, journal: Journal) -> None:
        self.base_url = chat.base_url
        self.paid = Usage()
        self.cached = Usage()
        self._chat, self._journal = chat, journal
        self._asking: dict[str, asyncio.Task[ChatReply]] = {}

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer `request`; see `Chat`. Equal requests get equal replies, byte for byte, with the
        `key` under which they are kept.

        Raises:
            JournalError: the reply could not be kept.
        """
        key = request_key(self.base_url, request)
        asking = self._asking.get(key)
        if asking is None:
            reply = self._journal.get(key)
            if reply is None:
                asking = asyncio.create_task(self._ask(key, request))
                self._asking[key] = asking
                asking.add_done_callback(lambda task: self._asked(key, task))
                return await asyncio.shield(asking)
        else:
            reply = await asyncio.shield(asking)
        self.cached += reply.usage
        return replace(reply, key=key)

    async def drain(self, seconds: float) -> int:
        """Wait for the requests under way, then cancel them: how many had to be.

        For the end of a run that was stopped; what they bring is kept.
        """
        if not self._asking:
            return 0
        _, late = await asyncio.wait(list(self._asking.values()), timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    async def _ask(self, key: str, request: ChatRequest) -> ChatReply:
        reply = await self._chat.complete(request)
        self.paid += reply.usage
        return replace(await self._journal.put(key, self.base_url, request, reply), key=key)

    def _asked(self, key: str, task: asyncio.Task[ChatReply]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # seen, even if all who asked were cancelled


def _settle(
    loop: asyncio.AbstractEventLoop, batch: list[_Put], result: Sequence[bytes] | JournalError
) -> None:
    """Hand the result of a batch to those of its callers who live on `loop` and still wait."""
    for number, put in enumerate(batch):
        if put.loop is not loop or put.kept.done():
            continue
        if isinstance(result, JournalError):
            put.kept.set_exception(result)
        else:
            put.kept.set_result(result[number])

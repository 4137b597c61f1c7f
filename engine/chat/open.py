"""Chats over a journal for as long as a command asks them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.chat.base import Chat
from engine.chat.journal import CachedChat, Journal

if TYPE_CHECKING:
    from engine.chat.endpoint import Endpoint

DRAIN_SECONDS = 30.0  # how long Ctrl-C waits for replies that are under way, and paid


@asynccontextmanager
async def journaled(
    file: Path, chats: Sequence[Chat], endpoints: Sequence["Endpoint"]
) -> AsyncIterator[list[CachedChat]]:
    """Each of `chats` over the journal in `file`.

    In the end nothing more is sent to `endpoints`, what is under way is kept, and they are closed.
    """
    with Journal(file) as journal:
        lines = [CachedChat(chat, journal) for chat in chats]
        try:
            yield lines
        finally:
            for endpoint in endpoints:
                endpoint.stop()
            await asyncio.gather(*(line.drain(DRAIN_SECONDS) for line in lines))
            for endpoint in endpoints:
                await endpoint.aclose()

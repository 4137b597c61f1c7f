"""Many requests at once, over the journal: what was paid for is not asked again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.chat import Chat, ChatReply, ChatRequest
from engine.endpoint import Endpoint
from engine.journal import Journal, Journaled
from engine.means import DRAIN_SECONDS
from search.policy import PolicyError


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to ask.

    journal: its file.   base_url: the endpoint; "" for the environment's, else OpenAI's.
    chat: a model in this process, instead.   concurrency: requests at once.
    """

    journal: Path
    base_url: str = ""
    chat: Chat | None = None
    concurrency: int = 8


def ask(asked: Asked, requests: Sequence[ChatRequest]) -> list[ChatReply | PolicyError]:
    """The reply to each request, or why it has none, in their order.

    Raises:
        PolicyError: there is no address or no key.
        KeyboardInterrupt: after Ctrl-C, once replies under way are kept.
    """
    return asyncio.run(_ask(asked, requests))


async def _ask(asked: Asked, requests: Sequence[ChatRequest]) -> list[ChatReply | PolicyError]:
    turn = asyncio.Semaphore(asked.concurrency)

    async def one(chat: Chat, request: ChatRequest) -> ChatReply | PolicyError:
        async with turn:
            try:
                return await chat.complete(request)
            except PolicyError as error:
                return error

    async with _journaled(asked) as chat, asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(chat, request)) for request in requests]
    return [task.result() for task in tasks]


@asynccontextmanager
async def _journaled(asked: Asked) -> AsyncIterator[Journaled]:
    endpoint = None
    if asked.chat is not None:
        chat: Chat = asked.chat
    else:
        base_url = asked.base_url or None
        chat = endpoint = Endpoint.from_environment(base_url, concurrency=asked.concurrency)
    with Journal(asked.journal) as journal:
        journaled = Journaled(chat, journal)
        try:
            yield journaled
        finally:
            if endpoint is not None:
                endpoint.stop()
            await journaled.drain(DRAIN_SECONDS)
            if endpoint is not None:
                await endpoint.aclose()

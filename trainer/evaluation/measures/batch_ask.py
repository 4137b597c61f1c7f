"""Many requests at once, over the journal: what was paid for is not asked again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.chat.base import Chat, ChatReply, ChatRequest
from engine.chat.incomplete import asked_again, incomplete, may_differ
from engine.chat.open import ChatStack, EndpointSpec
from search.policy import MAX_AGAIN, PolicyError


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

    A reply that is not complete is asked for again; the last one may still not be complete.

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
                reply = await chat.complete(request)
                for number in range(1, MAX_AGAIN + 1):
                    if not (any(incomplete(reply)) and may_differ(chat, request)):
                        break
                    reply = await chat.complete(asked_again(request, number))
                return reply
            except PolicyError as error:
                return error

    answerer = asked.chat or EndpointSpec.from_environment(asked.base_url).open(asked.concurrency)
    async with ChatStack(asked.journal) as stack, asyncio.TaskGroup() as group:
        chat = stack.add(answerer)
        tasks = [group.create_task(one(chat, request)) for request in requests]
    return [task.result() for task in tasks]

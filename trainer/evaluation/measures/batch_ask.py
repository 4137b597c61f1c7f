"""Many requests at once, over the journal: what was paid for is not asked again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.chat.base import Chat, ChatReply, ChatRequest, EndpointUnusable
from engine.chat.incomplete import asked_again, incomplete, may_differ
from engine.chat.open import ChatStack, EndpointSpec
from search.policy import MAX_AGAIN, PolicyError


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to ask.

    journal: its file.   base_url: the endpoint; "" for the environment's, else OpenAI's.
    chat: a model in this process, instead.   concurrency: requests at once.
    api, api_version: see `EndpointSpec`.
    """

    journal: Path
    base_url: str = ""
    chat: Chat | None = None
    concurrency: int = 8
    api: str = ""
    api_version: str = ""

    @property
    def spec(self) -> EndpointSpec:
        """The endpoint.

        Raises:
            PolicyError: there is no address or no key.
        """
        return EndpointSpec.from_environment(
            self.base_url, api=self.api, api_version=self.api_version
        )


def check(asked: Asked) -> None:
    """See that an endpoint can be reached and takes the key, before anything is spent.

    Raises:
        PolicyError: there is no address or no key; EndpointUnusable: it cannot be reached.
    """
    asyncio.run(asked.spec.check())


def ask(asked: Asked, requests: Sequence[ChatRequest]) -> list[ChatReply | PolicyError]:
    """The reply to each request, or why it has none, in their order.

    A reply that is not complete is asked for again; the last one may still not be complete.

    Raises:
        PolicyError: there is no address or no key; EndpointUnusable: no request can succeed.
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
            except EndpointUnusable:
                raise
            except PolicyError as error:
                return error

    answerer = asked.chat or asked.spec.open(asked.concurrency)
    async with ChatStack(asked.journal) as stack:
        chat = stack.add(answerer)
        tasks = [asyncio.create_task(one(chat, request)) for request in requests]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

"""Many requests at once, over the journal: what was paid for is not asked again."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.chat.base import Chat, ChatReply, ChatRequest, EndpointUnusable
from engine.chat.budget import Budget
from engine.chat.incomplete import complete
from engine.chat.open import ChatStack, EndpointSpec
from engine.chat.prices import Price
from search.policy import BudgetSpent, PolicyError
from trainer.errors import TrainerError

_GO_ON = "what was paid is kept: the same command with a larger bound goes on"


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to ask.

    journal: its file.   base_url: the endpoint; "" for the environment's, else OpenAI's.
    chat: a model in this process, instead.   concurrency: requests at once.
    api, api_version: see `EndpointSpec`.
    budget: shared by all that is asked; None for no bound.   price: the model's.
    """

    journal: Path
    base_url: str = ""
    chat: Chat | None = None
    concurrency: int = 8
    api: str = ""
    api_version: str = ""
    budget: Budget | None = None
    price: Price | None = None

    @property
    def spec(self) -> EndpointSpec:
        """The endpoint.

        Raises:
            PolicyError: there is no address or no key.
        """
        return EndpointSpec.from_environment(self.base_url, self.price, self.api, self.api_version)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Chat]:
        """Open a chat over the journal and the budget.

        Raises:
            PolicyError: there is no address or no key.
        """
        answerer = self.chat or self.spec.open(self.concurrency)
        async with ChatStack(self.journal, self.budget) as stack:
            yield stack.add(answerer)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Tell in one line, beginning with `what`, why no more can be asked.

    Raises:
        TrainerError: the budget is spent, the endpoint cannot be used, or a request was refused.
    """
    try:
        yield
    except BudgetSpent as error:
        raise TrainerError(f"{what}: {error}; {_GO_ON}") from error
    except PolicyError as error:
        raise TrainerError(f"{what}: {error}") from error
    except ExceptionGroup as group:
        known, other = group.split((BudgetSpent, PolicyError))
        if known is None or other is not None:
            raise
        with told(what):
            raise first_of(known) from group


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a group."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first


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
                reply, _ = await complete(chat, request)
                return reply
            except EndpointUnusable:
                raise
            except PolicyError as error:
                return error

    async with asked.opened() as chat:
        tasks = [asyncio.create_task(one(chat, request)) for request in requests]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

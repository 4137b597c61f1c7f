"""The chat stack, built in one place: a journal over a budget over an endpoint."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from engine.chat.address import KEY, Address, resolve
from engine.chat.base import Chat
from engine.chat.budget import Budget, BudgetedChat, Reservations
from engine.chat.endpoint import Endpoint
from engine.chat.journal import CachedChat, Journal, ReplyStore
from engine.chat.limiter import Throttle
from engine.chat.prices import Price
from engine.chat.retry import Retries

DRAIN_SECONDS = 30.0
"""How long Ctrl-C waits for replies under way, which are paid for."""


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """How to reach an endpoint, from this process or from a remote worker.

    Attributes:
        base_url: the address; may hold a user and a password.
        api_key: the key; it is in no log and no file.
        price: of the model; None counts no dollars.
        timeout: seconds per attempt.
        keep_unread: whether replies have `ChatReply.unread`.
        api: a key of `address.APIS`; "" for what the address says, else chat.
        api_version: Azure's `api-version`; "" for what the address or the environment says.
        key_variable: the environment variable that holds the key.
    """

    base_url: str = field(repr=False)
    api_key: str = field(default="", repr=False)
    price: Price | None = None
    retries: Retries = field(default_factory=Retries)
    timeout: float = 300.0
    keep_unread: bool = False
    api: str = ""
    api_version: str = ""
    key_variable: str = KEY

    @classmethod
    def from_environment(
        cls, base_url: str = "", price: Price | None = None, api: str = "", api_version: str = ""
    ) -> Self:
        """Return the spec of `base_url`, else OPENAI_BASE_URL, else OpenAI; see `resolve`.

        Raises:
            PolicyError: the address is not a URL, or is OpenAI's own and there is no key.
        """
        address, key = resolve(base_url, api, api_version)
        return cls(
            address.url,
            key,
            price,
            api=address.api,
            api_version=address.api_version,
            key_variable=address.key_variable,
        )

    @property
    def address(self) -> Address:
        """The address as it is asked.

        Raises:
            PolicyError: it is not a URL.
        """
        return Address.of(self.base_url, self.api, self.api_version, self.key_variable)

    def open(self, concurrency: int) -> Endpoint:
        """Open an endpoint for at most `concurrency` requests at once; the caller closes it.

        It does not wait for a server that has never answered: see `Retries.before_first`.

        Raises:
            PolicyError: the address, the key, or the environment's proxies cannot be used.
        """
        endpoint = Endpoint(
            self.address,
            self.api_key,
            concurrency=concurrency,
            retries=replace(self.retries, before_first=False),
            price=self.price,
            timeout=self.timeout,
        )
        endpoint.keep_unread = self.keep_unread
        return endpoint

    async def check(self) -> None:
        """See at no cost that the server can be reached; see `Endpoint.check`.

        Raises:
            PolicyError: it cannot, or the address or the key cannot be used.
        """
        endpoint = self.open(1)
        try:
            await endpoint.check()
        finally:
            await endpoint.aclose()


@dataclass(frozen=True, slots=True)
class ChatSpec:
    """Endpoints, journal and budget of a run.

    Attributes:
        teacher: the teacher's endpoint; None for the demonstration teacher.
        student: the endpoint of a student that acts first; None without one.
        grader: the endpoint of the model that grades answers; None without one.
    """

    journal: Path
    budget: Budget
    teacher: EndpointSpec | None = None
    student: EndpointSpec | None = None
    grader: EndpointSpec | None = None


class ChatStack:
    """Puts chats over one journal and one budget; on exit, drains them and closes their endpoints.

        async with ChatStack(Path("journal.db"), budget) as stack:
            chat = stack.add(spec.open(concurrency))

    Args:
        journal: the journal's file, or the store of replies that a remote worker has.
        budget: shared by all the chats; None for no bound.
        traced: returns a chat whose requests are traced; None traces none.
    """

    def __init__(
        self,
        journal: Path | ReplyStore,
        budget: Reservations | None = None,
        traced: Callable[[Chat], Chat] | None = None,
    ) -> None:
        self._traced = traced
        self._replies = Journal(journal) if isinstance(journal, Path) else journal
        self._budget = budget or Budget()
        self._chats: list[CachedChat] = []
        self._endpoints: list[Endpoint] = []

    def add(self, chat: Chat) -> CachedChat:
        """Return `chat` over the budget and the journal; an `Endpoint` is closed on exit."""
        if isinstance(chat, Endpoint):
            self._endpoints.append(chat)
        sent = self._traced(chat) if self._traced else chat
        self._chats.append(CachedChat(BudgetedChat(sent, self._budget), self._replies))
        return self._chats[-1]

    def throttle(self) -> Throttle:
        """Return how many requests the endpoints may be sent at once now."""
        return sum((endpoint.limiter.throttle for endpoint in self._endpoints), Throttle())

    def stop(self) -> None:
        """Send nothing more; requests under way go on."""
        for endpoint in self._endpoints:
            endpoint.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        await asyncio.gather(*(chat.drain(DRAIN_SECONDS) for chat in self._chats))
        for endpoint in self._endpoints:
            await endpoint.aclose()
        if isinstance(self._replies, Journal):
            self._replies.close()

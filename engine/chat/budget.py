"""A bound on what a run spends.

It belongs below the journal, `CachedChat(BudgetedChat(endpoint))`, so that a reply paid for
earlier costs nothing.

Limitations: the cost of a request is known when it is answered. Calls are bounded exactly; tokens
and dollars are exceeded by at most the requests under way when the bound was reached. A request
that is never answered (retries used up, cancelled) is not counted, though its server may charge
for it.
"""

import asyncio
from typing import Protocol

from engine.chat.base import Chat, ChatReply, ChatRequest
from search.policy import BudgetSpent
from search.usage import Usage


class Budget:
    """What a whole run may spend.

    Args:
        usd: US dollars; None for no bound, here and below.
        calls: answered requests.
        tokens: prompt and completion tokens.
        spent: what the run has cost so far, if it is resumed.
    """

    def __init__(
        self,
        usd: float | None = None,
        calls: int | None = None,
        tokens: int | None = None,
        spent: Usage | None = None,
    ) -> None:
        self.spent = spent or Usage()
        self._bounds = {"usd": usd, "calls": calls, "tokens": tokens}
        self._under_way = 0
        self._settled = asyncio.Event()  # replaced at each `settle`

    @property
    def exhausted(self) -> str:
        """Return the bound that is reached ("calls", "tokens" or "usd"), or ""."""
        for name, bound in self._bounds.items():
            if bound is not None and getattr(self.spent, name) >= bound:
                return name
        return ""

    async def reserve(self) -> None:
        """Reserve one call; each reservation is followed by one `settle`.

        If the calls under way would use up the rest, wait for them: one may fail, and then its
        share is free.

        Raises:
            BudgetSpent: a bound is reached.
        """
        while not self.exhausted:
            calls = self._bounds["calls"]
            if calls is None or self.spent.calls + self._under_way < calls:
                self._under_way += 1
                return
            await self._settled.wait()
        reached = self.exhausted
        raise BudgetSpent(f"the run's {reached} are spent: {self._bounds[reached]:g}")

    def settle(self, usage: Usage | None) -> None:
        """Book the cost of a reserved call; None if it was not answered."""
        self._under_way -= 1
        self.spent += usage or Usage()
        self._settled.set()
        self._settled = asyncio.Event()


class Reservations(Protocol):
    """What `BudgetedChat` needs of a budget: a `Budget`, or a remote worker's way to it."""

    async def reserve(self) -> None:
        """See `Budget.reserve`."""

    def settle(self, usage: Usage | None) -> None:
        """See `Budget.settle`."""


class BudgetedChat:
    """A Chat that passes requests on while the budget lasts. A paid reply is always returned."""

    def __init__(self, chat: Chat, budget: Reservations) -> None:
        self.base_url = chat.base_url
        self.budget = budget
        self._chat = chat

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer `request`; see `Chat`."""
        await self.budget.reserve()
        usage = None
        try:
            reply = await self._chat.complete(request)
            usage = reply.usage
            return reply
        finally:
            self.budget.settle(usage)

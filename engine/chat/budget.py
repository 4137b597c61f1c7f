"""A bound on what a run spends.

It stands inside the journal, `CachedChat(BudgetedChat(endpoint))`, so
that a reply that was paid before costs nothing.

Limitations: what a request costs is known when it is answered. Calls are bounded exactly; tokens
and dollars are exceeded by at most the requests that were under way when the bound was reached.
A request that is never answered (retries used up, cancelled) is not counted, though its server may
charge for it.
"""

import asyncio
from typing import Protocol

from engine.chat.base import Chat, ChatReply, ChatRequest
from search.policy import BudgetSpent
from search.usage import Usage


class Budget:
    """What a whole run may spend; None: no bound.

    usd: US dollars.   calls: answered requests.   tokens: prompt and completion.
    spent: so far; given a value other than none where a run goes on.
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
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def exhausted(self) -> str:
        """Which bound is reached ("calls", "tokens", "usd"), else ""."""
        for name, bound in self._bounds.items():
            if bound is not None and getattr(self.spent, name) >= bound:
                return name
        return ""

    async def reserve(self) -> None:
        """Set one call aside; each is followed by one `settle`.

        Where the calls under way would use up the rest, waits for them: one may fail, and then
        its share is free.

        Raises:
            BudgetSpent
        """
        while not self.exhausted:
            calls = self._bounds["calls"]
            if calls is None or self.spent.calls + self._under_way < calls:
                self._under_way += 1
                return
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        reached = self.exhausted
        raise BudgetSpent(f"the run's {reached} are spent: {self._bounds[reached]:g}")

    def settle(self, usage: Usage | None) -> None:
        """Book what a call cost; None: it was not answered."""
        self._under_way -= 1
        self.spent += usage or Usage()
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
        self._waiting.clear()


class Reserving(Protocol):
    """What `BudgetedChat` asks of a budget: see `Budget`."""

    async def reserve(self) -> None: ...

    def settle(self, usage: Usage | None) -> None: ...


class BudgetedChat:
    """A Chat that asks another while the budget lasts. A reply that was paid is always given."""

    def __init__(self, chat: Chat, budget: Reserving) -> None:
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

"""Limits requests under way by additive increase, multiplicative decrease (AIMD).

This is TCP's congestion avoidance (Jacobson 1988). What a server can take is unknown and changes,
so the limit grows slowly until the server complains, and is then halved.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many requests may run at once now.

    Attributes:
        allowed: As many.
        most: As many as were asked for; fewer are allowed once a server has refused some.
        pause: Seconds for which the server still wants no request at all.
    """

    allowed: int = 0
    most: int = 0
    pause: float = 0.0

    def __add__(self, other: "Throttle") -> "Throttle":
        pause = max(self.pause, other.pause)
        return Throttle(self.allowed + other.allowed, self.most + other.most, pause)

    @property
    def text(self) -> str:
        """The words for a user; "" while nothing is held back."""
        if self.allowed >= self.most and self.pause < 1:
            return ""
        held = f"throttled to {self.allowed} of {self.most} requests at once"
        return held + (f", none for {self.pause:.0f} s" if self.pause >= 1 else "")


class Limiter:
    """Lets at most `limit` requests run at once; first come, first served.

        async with limiter as sent:
            ...
            limiter.cut(sent, pause)  # the server is overloaded
            limiter.grow()  # the request succeeded

    Belongs to one event loop at a time.

    Args:
        maximum: highest limit, and the first one.
        cooldown: seconds after a cut without a second cut.

    Raises:
        ValueError: `maximum` is less than 1.
    """

    def __init__(self, maximum: int, *, cooldown: float = 1.0) -> None:
        if maximum < 1:
            raise ValueError(f"at least one request must be allowed at once, not {maximum}")
        self.maximum = maximum
        self.active = 0
        self.cuts = 0
        self._limit = float(maximum)
        self._cooldown = cooldown
        self._cut_at = float("-inf")
        self._paused_until = float("-inf")
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """Return how many may run at once now, in [1, maximum]."""
        return int(self._limit)

    @property
    def throttle(self) -> Throttle:
        """Return how many may run at once now, for a user."""
        return Throttle(self.limit, self.maximum, max(0.0, self._paused_until - monotonic()))

    async def __aenter__(self) -> int:
        """Wait for a turn; return the number of cuts so far, for `cut`."""
        if not self._queue and self._free():
            self.active += 1
            return self.cuts
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.active -= 1  # its turn had come: pass it on
            self._serve()
            raise
        return self.cuts

    async def __aexit__(self, *_: object) -> None:
        self.active -= 1
        self._serve()

    def grow(self) -> None:
        """Note a success. A full round of them raises the limit by one."""
        self._limit = min(self.maximum, self._limit + 1 / self._limit)
        self._serve()

    def cut(self, sent: int, pause: float = 0.0) -> None:
        """Note a refusal (429, 5xx), and halve the limit once per burst of refusals.

        Args:
            sent: cuts when the request's turn came. A request sent before the latest cut says
                nothing about the limit since.
            pause: seconds for which the server wants no request at all.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now + pause > max(now, self._paused_until):
            self._paused_until = now + pause
            loop.call_later(pause, self._serve)
        if sent == self.cuts and now - self._cut_at >= self._cooldown:
            self._limit = max(1.0, self._limit / 2)
            self._cut_at = now
            self.cuts += 1

    def _free(self) -> bool:
        if self.active >= int(self._limit):
            return False
        return asyncio.get_running_loop().time() >= self._paused_until

    def _serve(self) -> None:
        """Give free turns to waiting requests, first come, first served."""
        while self._queue and (self._queue[0].done() or self._free()):
            turn = self._queue.popleft()
            if not turn.done():
                self.active += 1
                turn.set_result(None)

"""Which chat-server errors are retried, and for how long. Every wait is bounded.

A `Transient` error is retried a bounded number of times and seconds; then the task fails with a
PolicyError in the server's words. Errors that will not change (a bad key, an unknown model, a
context that is too long, an empty account) fail at once.
"""

import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, RetryError, retry_if_exception_type
from tenacity.stop import stop_base
from tenacity.wait import wait_base, wait_exponential

from search.policy import PolicyError

T = TypeVar("T")

_RETRIED = {408, 409, 425, 429}
FINAL_CODES = {
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "context_length_exceeded",
}


class Transient(Exception):
    """One attempt failed in a way that may pass.

    Attributes:
        after: seconds the server asks to wait; None if it does not say.
        congested: whether the server is overloaded or in trouble, so others should hold back too.
        took: seconds the attempt took.
    """

    def __init__(self, words: str, *, after: float | None = None, congested: bool = False) -> None:
        super().__init__(words)
        self.after = after
        self.congested = congested
        self.took = 0.0


def http_error(status: int, words: str, code: str, headers: Mapping[str, str]) -> Exception:
    """Return a Transient for an HTTP error that may pass, else a PolicyError.

    `code` is the server's name for the error, as "insufficient_quota", or "".
    """
    message = f"HTTP {status}: {words}"
    if code in FINAL_CODES or not (status in _RETRIED or status >= 500):
        return PolicyError(message)
    return Transient(message, after=retry_after(headers), congested=status == 429 or status >= 500)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait by `retry-after-ms` or `Retry-After` (seconds, or a date)."""
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        date = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, date.timestamp() - time.time())
    except (KeyError, ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long to retry. The defaults outlast a server that is away for a minute.

    Attributes:
        attempts: most attempts, the first included.
        seconds: most seconds spent on attempts and on waits between them. An attempt under way is
            not cut short, and waiting for a turn (`Limiter`) does not count.
        first: seconds of back-off after the first failure; doubles with each further one. Each
            wait is drawn between half of the back-off and all of it.
        longest: most seconds of back-off.
        patience: longest Retry-After that is obeyed in full; a longer one is cut to this.
        before_first: whether to wait also for a server that has never answered. False: what no
            request would get past (a refused port, a wrong key) raises EndpointUnusable at once.
    """

    attempts: int = 10
    seconds: float = 900.0
    first: float = 0.5
    longest: float = 30.0
    patience: float = 120.0
    before_first: bool = True

    async def run(
        self,
        sleep: Callable[[float], Awaitable[None]],
        attempt: Callable[..., Awaitable[T]],
        *args: object,
    ) -> T:
        """Return the first success of `attempt(*args)`; other errors than Transient pass through.

        Raises:
            PolicyError: attempts or seconds are used up; holds the last error's words.
        """
        began = time.monotonic()
        retrying = AsyncRetrying(
            sleep=sleep,
            stop=_Stop(self),
            wait=_Wait(self),
            retry=retry_if_exception_type(Transient),
        )
        try:
            return await retrying(attempt, *args)
        except RetryError as error:
            last, seconds = error.last_attempt, time.monotonic() - began
            words = f"gave up after {last.attempt_number} attempts in {seconds:.0f} s; the last: "
            raise PolicyError(f"{words}{last.exception()}", used_up=True) from None


class _Stop(stop_base):
    """Stop after `attempts`, or before a wait that would exceed `seconds`. For one call."""

    def __init__(self, retries: Retries) -> None:
        self._retries, self._spent = retries, 0.0

    def __call__(self, state: RetryCallState) -> bool:
        self._spent += _failure(state).took
        seconds = self._spent + state.idle_for + state.upcoming_sleep
        return state.attempt_number >= self._retries.attempts or seconds > self._retries.seconds


class _Wait(wait_base):
    """Wait as the server asks, else exponentially longer; never all at the same moment."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._backoff = wait_exponential(multiplier=retries.first, max=retries.longest)

    def __call__(self, state: RetryCallState) -> float:
        after = _failure(state).after
        if after is not None:
            return min(after, self._retries.patience) + random.uniform(0, self._retries.first)
        return self._backoff(state) * random.uniform(0.5, 1)


def _failure(state: RetryCallState) -> Transient:
    failure = state.outcome.exception() if state.outcome else None
    assert isinstance(failure, Transient)
    return failure

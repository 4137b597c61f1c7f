"""Which failures of a chat server pass, and how long to wait for them. Nothing here waits for ever.

A `Transient` is asked again, a bounded number of times and seconds; then, and at once for what
will not change (a bad key, an unknown model, a context that is too long, an empty account), the
task fails with a PolicyError in the server's words.
"""

import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from search.policy import PolicyError

T = TypeVar("T")

_PASSING = {408, 409, 425, 429}
_FINAL_CODES = {
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "context_length_exceeded",
}


class Transient(Exception):
    """One attempt failed in a way that may pass.

    after: seconds that the server asks to wait; None where it does not say.
    congested: the server is asked too much, or is in trouble: others should hold back too.
    took: seconds that the attempt took.
    """

    def __init__(self, words: str, *, after: float | None = None, congested: bool = False) -> None:
        super().__init__(words)
        self.after = after
        self.congested = congested
        self.took = 0.0


def fault(status: int, words: str, code: str, headers: Mapping[str, str]) -> Exception:
    """What an HTTP error means: a Transient, or a PolicyError for what will not change.

    words: the server's.   code: its name for the error ("insufficient_quota"), or "".
    """
    said = f"HTTP {status}: {words}"
    if code in _FINAL_CODES or not (status in _PASSING or status >= 500):
        return PolicyError(said)
    return Transient(said, after=retry_after(headers), congested=status == 429 or status >= 500)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds, or an HTTP date)."""
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
    """How often and how long to ask again.

    attempts: the most in all, the first included.
    seconds: the most spent on attempts and waits between them; an attempt under way is not cut
        short by it, and waiting for a turn does not count.
    first, longest: seconds of back-off after the first failure, doubling, and its bound; each wait
        is drawn between half of it and the whole.
    patience: the longest Retry-After that is obeyed in full; a longer one is cut to it.

    With the defaults a server that is away for a minute is waited for.
    """

    attempts: int = 10
    seconds: float = 900.0
    first: float = 0.5
    longest: float = 30.0
    patience: float = 120.0

    async def run(
        self, attempt: Callable[[], Awaitable[T]], sleep: Callable[[float], Awaitable[None]]
    ) -> T:
        """The first success of `attempt`; its exceptions other than Transient pass through.

        Raises:
            PolicyError: attempts or seconds are used up; with the last words.
        """
        try:  # without tenacity, whose machinery costs more than all else that is done here
            return await attempt()
        except Transient as failure:
            first = failure
        return await self._again(first, attempt, sleep)

    async def _again(
        self,
        first: Transient,
        attempt: Callable[[], Awaitable[T]],
        sleep: Callable[[float], Awaitable[None]],
    ) -> T:
        """Go on after an attempt that failed with `first`, which counts."""
        failed = [first]
        spent = 0.0

        def stop(state: RetryCallState) -> bool:
            nonlocal spent
            spent += _failure(state).took
            waiting = state.idle_for + state.upcoming_sleep
            return state.attempt_number >= self.attempts or spent + waiting > self.seconds

        def give_up(state: RetryCallState) -> T:
            tries, seconds = state.attempt_number, spent + state.idle_for
            words = f"gave up after {tries} attempts in {seconds:.0f} s; the last: "
            raise PolicyError(words + str(_failure(state)), used_up=True) from None

        retrying = AsyncRetrying(
            sleep=sleep,
            stop=stop,
            wait=self.wait,
            retry=retry_if_exception_type(Transient),
            retry_error_callback=give_up,
        )

        async def once() -> T:  # tenacity awaits what a lambda returns only in some versions
            if failed:
                raise failed.pop()
            return await attempt()

        return await retrying(once)

    def wait(self, state: RetryCallState) -> float:
        """Seconds until the next attempt."""
        after = _failure(state).after
        if after is not None:  # a little later than asked, and not all at the same moment
            return min(after, self.patience) + random.uniform(0, self.first)
        backoff = min(self.longest, self.first * 2.0 ** min(state.attempt_number - 1, 60))
        return backoff * random.uniform(0.5, 1)


def _failure(state: RetryCallState) -> Transient:
    failure = state.outcome.exception() if state.outcome else None
    assert isinstance(failure, Transient)
    return failure

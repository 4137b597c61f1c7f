"""The price of each product: the original's first draws from Python's random state.

The original seeds the global `random`, draws a price for each product that has a range, and then
the price caps of its goals (`goals`). Here the caller passes a `random.Random`, and the draws are
equal.
"""

from array import array
from collections.abc import Iterable
from random import Random

_STEPS = tuple(10.0 * step for step in range(1, 100))
_NEAR = 4
NO_CAP = 1_000_000.0
"""The original's cap if an instruction names none."""


def draw_prices(ranges: Iterable[tuple[float, float | None]], random: Random) -> "array[float]":
    """Return the price of each product in dollars: its own, or one drawn from its range."""
    return array("d", (low if high is None else random.uniform(low, high) for low, high in ranges))


def draw_cap(price: float, random: Random) -> float:
    """Return the price cap of an instruction for a product of `price`, in dollars.

    It is the higher of two different tens, out of the four (10 to 990) next above the price; or
    `NO_CAP`, without a draw, if fewer than two are above it.
    """
    near = [step for step in _STEPS if step > price][:_NEAR]
    return max(random.sample(near, 2)) if len(near) > 1 else NO_CAP


def cap_text(cap: float) -> str:
    """Return the end of an instruction with this cap."""
    return "" if cap == NO_CAP else f", and price lower than {cap:.2f} dollars"

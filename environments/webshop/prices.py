"""What each product costs: the first draws that the original makes from Python's random state.

The original seeds the global `random`, draws a price for each product that has a range, and goes on
with the same state to the price caps of its goals (`goals`). Here the state is a `random.Random` of
the caller's own, and evolves draw for draw alike.
"""

from array import array
from collections.abc import Iterable
from random import Random

_STEPS = tuple(10.0 * step for step in range(1, 100))
_NEAR = 4
NO_CAP = 1_000_000.0
"""What the original takes for the cap where an instruction names none."""


def draw_prices(ranges: Iterable[tuple[float, float | None]], random: Random) -> "array[float]":
    """The price of each product, in dollars: its own, or one drawn evenly from its range."""
    return array("d", (low if high is None else random.uniform(low, high) for low, high in ranges))


def draw_cap(price: float, random: Random) -> float:
    """What an instruction lets one spend on a product of `price`, in dollars.

    The higher of two different tens, of the four (10 to 990) next above the price. `NO_CAP`, and
    nothing is drawn, where fewer than two are above it.
    """
    near = [step for step in _STEPS if step > price][:_NEAR]
    return max(random.sample(near, 2)) if len(near) > 1 else NO_CAP


def cap_text(cap: float) -> str:
    """How an instruction ends that has this cap."""
    return "" if cap == NO_CAP else f", and price lower than {cap:.2f} dollars"

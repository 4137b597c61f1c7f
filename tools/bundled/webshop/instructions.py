"""Choose what an instruction asks for, so that one product is right and its rivals nearly are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from tools.bundled.webshop.combine import OUT_OF_REACH, Item

_TRIES = 40
_COUNTS = (1, 2, 2, 3)
"""Of attributes asked for."""


@dataclass(frozen=True, slots=True)
class Wish:
    """attributes: as `Kind` writes them, at least one.   options: the value wanted by name."""

    attributes: tuple[str, ...]
    options: Mapping[str, str]

    def missing(self, item: Item) -> int:
        """How many of the attributes and values `item` lacks; the price does not count."""
        attributes = sum(attribute not in item.attributes for attribute in self.attributes)
        offered = item.options
        return attributes + sum(v not in offered.get(n, ()) for n, v in self.options.items())


def wishes(item: Item, rivals: Sequence[Item], count: int, random: Random) -> list[Wish]:
    """At most `count` different wishes that only `item` meets; fewer where rivals do too.

    A wish counts as met by `item` alone if what else meets it is dearer than any cap. Of those
    drawn, the ones with the most rivals that lack a single thing come first. What no text of `item`
    tells may be asked for too, but it is not needed to tell `item` from its rivals.
    """
    others = [rival for rival in rivals if rival.asin != item.asin]
    drawn = [_drawn(item, random) for _ in range(_TRIES)]
    clear = [wish for wish in drawn if _only(_told(wish, item), item, others)]
    clear.sort(key=lambda wish: -sum(wish.missing(rival) <= 1 for rival in others))
    chosen: list[Wish] = []
    for wish in clear:
        if len(chosen) < count and _differs(wish, chosen):
            chosen.append(wish)
    return chosen


def _told(wish: Wish, item: Item) -> Wish:
    """What of it a shopper can read of `item`."""
    return replace(wish, attributes=tuple(a for a in wish.attributes if a in item.spoken))


def _differs(wish: Wish, chosen: Sequence[Wish]) -> bool:
    """Whether it asks for other attributes than the wishes chosen already."""
    return all(set(wish.attributes) != set(other.attributes) for other in chosen)


def _drawn(item: Item, random: Random) -> Wish:
    told = [attribute for attribute in item.attributes if attribute in item.spoken]
    untold = [attribute for attribute in item.attributes if attribute not in item.spoken]
    count = min(random.choice(_COUNTS), len(told))
    attributes = random.sample(told, count)
    if untold and count > 1 and random.random() < 0.5:
        attributes[-1] = random.choice(untold)
    named = {name: random.choice(values) for name, values in item.options.items()}
    return Wish(tuple(attributes), {n: v for n, v in named.items() if random.random() < 0.85})


def _only(wish: Wish, item: Item, others: Sequence[Item]) -> bool:
    limit = item.prices[-1] + OUT_OF_REACH
    # Nobody buys by accident what has options to choose and none that is asked for.
    if item.options and not wish.options:
        return False
    return all(wish.missing(other) or other.prices[0] >= limit for other in others)

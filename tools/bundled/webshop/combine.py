"""Combine the vocabulary of a kind to rivals that are hard to tell apart.

Every third product of a kind begins a family; the next has one attribute exchanged; the one after
has all its attributes but other options, or, where a kind is dear enough, the same options at a
price that no cap of an instruction reaches.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from random import Random

from environments.webshop.tasks import split_of
from tools.bundled.webshop.kind import Kind, phrase

SPLITS = ("train",) * 7 + ("dev",) + ("test",) * 2
"""Of the products of a kind: a fifth is held out in every kind."""
RIVALS = len(SPLITS)
OUT_OF_REACH = 45.0
"""Dollars that put a price above every cap that the original draws for the cheaper product: the
highest of the four tens above it (`environments.webshop.shop.prices`), and a rounded price."""
DEAR = 80.0
"""From this highest price on, a kind has rivals that are only too expensive."""
_FAMILY = 3
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ0123456789"
_CENTS = (0.99, 0.99, 0.49, 0.95, 0.0)
_BRANDS = (
    "Aldermoss", "Brindlecote", "Cobblewick", "Dunmarrow", "Ebbastone", "Fennimoor", "Gorsewyn",
    "Hallowfen", "Ironquay", "Jutterby", "Kestermill", "Lorrimead", "Mosslington", "Nettlebrae",
    "Orrisdale", "Pellworthy", "Quillhaven", "Rookbarrow", "Sallowmere", "Tarnwick", "Umberlow",
    "Vellaford", "Wrenstead", "Yarrowgate", "Zephlin",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """One product, before it is written.

    attributes: what it has, as `Kind` writes them.   spoken: those that its texts tell of.
    prices: in dollars: one, or the two ends of a range.
    """

    kind: Kind
    asin: str
    title: str
    attributes: tuple[str, ...]
    spoken: frozenset[str]
    options: Mapping[str, tuple[str, ...]]
    prices: tuple[float, ...]


def rivals(kind: Kind) -> list[Item]:
    """The products of a kind; the same ones every time."""
    random = Random(kind.noun)
    brands = random.sample(_BRANDS, RIVALS)
    items: list[Item] = []
    for number, brand in enumerate(brands):
        place = number % _FAMILY
        if place == 0:
            item = _first(kind, random)
        else:
            item = _exchanged(items[-1], random) if place == 1 else _other(items[-2], random)
        items.append(replace(item, asin="", title=_title(kind, brand, item, random)))
    splits = random.sample(SPLITS, RIVALS)
    return [replace(i, asin=_asin(i, split)) for i, split in zip(items, splits, strict=True)]


def _first(kind: Kind, random: Random) -> Item:
    chosen = random.sample(list(kind.attributes), random.choice((4, 5, 5, 6)))
    return Item(
        kind=kind,
        asin="",
        title="",
        attributes=tuple(chosen),
        spoken=_spoken(chosen, random),
        options=_options(kind, random),
        prices=_prices(*kind.prices, random),
    )


def _exchanged(item: Item, random: Random) -> Item:
    """One attribute is another; sold at nearly the same price."""
    attributes = list(item.attributes)
    place = random.randrange(len(attributes))
    attributes[place] = random.choice([a for a in item.kind.attributes if a not in attributes])
    low = item.prices[0]
    return replace(
        item,
        attributes=tuple(attributes),
        spoken=_spoken(attributes, random),
        prices=_prices(low * 0.9, low * 1.15, random),
    )


def _other(item: Item, random: Random) -> Item:
    """The same attributes, but dearer than an instruction allows; or with other options."""
    kind = item.kind
    if kind.prices[1] >= DEAR and random.random() < 0.5:
        low = item.prices[-1] + OUT_OF_REACH
        return replace(item, prices=_prices(low, low * 1.2, random))
    options = _options(kind, random)
    return replace(item, options=options, prices=_prices(*kind.prices, random))


def _spoken(attributes: list[str], random: Random) -> frozenset[str]:
    """Most of what a product has stands in its texts; the rest only its maker knows."""
    return frozenset(attribute for attribute in attributes if random.random() < 0.93)


def _options(kind: Kind, random: Random) -> dict[str, tuple[str, ...]]:
    """Few products have many values, and some have none."""
    chosen = {}
    for name, values in kind.options.items():
        if random.random() < 0.1:
            continue
        made = min(len(values), 1 + int(random.paretovariate(0.9)))
        # The earlier a value stands, the more often it is made.
        ranks = sorted(range(len(values)), key=lambda place: random.random() * (place + 2))
        chosen[name] = tuple(values[place] for place in sorted(ranks[:made]))
    return chosen


def _prices(low: float, high: float, random: Random) -> tuple[float, ...]:
    """Spread evenly over ratios, so that cheap things are common; one in eight is a range."""
    price = int(low * (high / low) ** random.random()) + random.choice(_CENTS)
    if random.random() >= 0.125:
        return (round(price, 2),)
    return round(price, 2), round(price * random.uniform(1.1, 1.3), 2)


def _title(kind: Kind, brand: str, item: Item, random: Random) -> str:
    words = [brand, random.choice(kind.materials), random.choice(kind.styles), kind.noun]
    title = " ".join((*words, random.choice(kind.uses)))
    told = [a for a in item.attributes if a in item.spoken]
    shown = random.sample(told, min(len(told), random.choice((0, 1, 1, 2))))
    return ", ".join((title, *(phrase(attribute).title() for attribute in shown)))


def _asin(item: Item, split: str) -> str:
    """An id of which `split_of` makes `split`."""
    return next(asin for asin in _asins(item.title) if split_of(asin) == split)


def _asins(title: str) -> Iterator[str]:
    """Ten characters that say nothing. T comes first: real ids begin with B or a digit."""
    for number in count():
        digest = hashlib.sha256(f"{title} {number}".encode()).digest()
        yield "T" + "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:9])

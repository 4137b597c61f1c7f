"""Mistakes of the demonstration teacher: those of a shopper in a hurry.

It searches with too few words, chooses another product of the page (perhaps too expensive), another
value of an option, or buys too early. A mistake is used only if it matters: a query, if its first
page differs; any other, if the purchase in the end earns less than 1.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from environments.types import Action
from environments.webshop.goals import Goal
from environments.webshop.pages.pages import PRODUCTS_SHOWN
from environments.webshop.pages.parts import BUY, NEXT, PREV
from environments.webshop.reward.reward import Reward
from environments.webshop.shop.products import Product

_BUY, _NEXT, _PREV = BUY.lower(), NEXT.lower(), PREV.lower()


class Shop(Protocol):
    """The part of `Catalogue` that is used here."""

    @property
    def products(self) -> Mapping[str, Product]:
        """Products by asin."""

    def search(self, query: str) -> Sequence[str]:
        """Return the asins that a query finds, best first."""

    def grade(self, asin: str, goal: Goal, options: Mapping[str, str]) -> Reward:
        """Return the reward for buying a product."""


def mistakes(shop: Shop, goal: Goal, script: Sequence[Action], action: Action) -> list[Action]:
    """Return wrong versions of `action`, likely first.

    Args:
        action: a step of it, or the way back from a wrong product, which a shopper in a hurry buys
            instead.
    """
    if action.tool == "search":
        return [_instead(action, "query", query) for query in _vaguer(shop, goal, action)]
    if action.tool != "click":
        return []
    element = action.arguments["element"]
    if element == _PREV:
        return [script[-1]]
    if element in (_NEXT, goal.asin.lower()):
        found = _wrong_products(shop, goal, script, element == _NEXT)
        return [_instead(action, "element", asin.lower()) for asin in found]
    return list(_wrong_choices(shop, goal, script, action))


def _instead(action: Action, name: str, value: str) -> Action:
    """Change an argument."""
    return replace(action, arguments={name: value})


def _vaguer(shop: Shop, goal: Goal, action: Action) -> list[str]:
    """Return queries that leave out a part; those that do not show the product come first."""
    right = action.arguments["query"]
    shown = _first_page(shop, right)
    attributes = " ".join(goal.attributes), goal.attributes[0]
    parts = (goal.query, *goal.query.split()[-1:], *attributes)
    pages = {query: _first_page(shop, query) for query in parts if query.strip() not in ("", right)}
    telling = [query for query, page in pages.items() if page != shown]
    return sorted(telling, key=lambda query: goal.asin in pages[query])


def _first_page(shop: Shop, query: str) -> Sequence[str]:
    return shop.search(query)[:PRODUCTS_SHOWN]


def _wrong_products(shop: Shop, goal: Goal, script: Sequence[Action], before: bool) -> list[str]:
    """Return other products of the product's page of results, the best first.

    before: use the page before it instead, if that is the first. All steps to a next page are
        equal, so further on it is unknown which of them is meant.
    """
    found = shop.search(script[0].arguments["query"])
    page = found.index(goal.asin) // PRODUCTS_SHOWN
    if before and page > 1:
        return []
    start = (page - before) * PRODUCTS_SHOWN
    shown = found[start : start + PRODUCTS_SHOWN]
    wanted = _chosen(shop.products[goal.asin], script)
    earned = {asin: _bought(shop, goal, asin, wanted.values()) for asin in shown}
    return sorted((a for a in shown if earned[a] < 1), key=lambda asin: -earned[asin])


def _wrong_choices(
    shop: Shop, goal: Goal, script: Sequence[Action], action: Action
) -> Iterator[Action]:
    """Yield, instead of a choice, buying at once or another value; instead of buying, a value."""
    product = shop.products[goal.asin]
    place = script.index(action) if action in script else len(script) - 1
    before = _chosen(product, script[:place]).values()
    buys = action.arguments["element"] == _BUY
    if not buys and _bought(shop, goal, goal.asin, before) < 1:
        yield script[-1]
    steps = script[:place] if buys else [action]
    for step in steps:
        for value in _other_values(product, step):
            wrong = _instead(step, "element", value)
            every = [*_chosen(product, script).values(), value]
            if _bought(shop, goal, goal.asin, every) < 1:
                yield wrong


def _other_values(product: Product, step: Action) -> Iterator[str]:
    """Yield the other values of the option that a click of the script chooses."""
    right = step.arguments.get("element")
    for values in product.options.values():
        if right in values:
            yield from (value for value in values if value and value != right)


def _chosen(product: Product, steps: Iterable[Action]) -> dict[str, str]:
    """Return the values by name that a product's page has taken after `steps`."""
    return _taken(product, (step.arguments.get("element", "") for step in steps))


def _taken(product: Product, values: Iterable[str]) -> dict[str, str]:
    """Return values by option; as on the page, a value of two options is the later's."""
    names = {value: name for name, offered in product.options.items() for value in offered}
    return {names[value]: value for value in values if value in names}


def _bought(shop: Shop, goal: Goal, asin: str, values: Iterable[str]) -> float:
    """Return the reward for a product with those of `values` that its page offers."""
    return shop.grade(asin, goal, _taken(shop.products[asin], values)).value

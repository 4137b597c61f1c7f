"""The gold actions of a goal: how a shopper who knows the product buys it.

The query is made from the instruction, so that a student can learn to write it. The product's
title, which no shopper knows, is the last resort.
"""

from collections.abc import Callable, Iterator, Sequence

from environments.tools import GIVE_UP
from environments.types import Action
from environments.webshop.goals import Goal
from environments.webshop.pages.pages import PRODUCTS_SHOWN
from environments.webshop.pages.parts import BUY, NEXT
from environments.webshop.reward.matching import alike, colour_in
from environments.webshop.shop.products import Product

_PAGES_READ = 3
"""Pages of results to look through before trying other words; all if no words help."""


def purchase(product: Product, goal: Goal, find: Callable[[str], Sequence[str]]) -> list[Action]:
    """Search for the goal's `product`, go to it, choose the requested options, and buy.

    If no query finds it, the shopper gives up after the first one.
    """
    queries = [query for query in _queries(product, goal) if query.strip()]
    for pages in (_PAGES_READ, None):
        for query in queries:
            shown = find(query)[: pages and pages * PRODUCTS_SHOWN]
            if product.asin in shown:
                turns = shown.index(product.asin) // PRODUCTS_SHOWN
                return [_search(query), *_from_results(product, goal, turns)]
    return [_search(queries[0]), Action(GIVE_UP.name, {})]


def _queries(product: Product, goal: Goal) -> Iterator[str]:
    yield " ".join((*goal.attributes, goal.query))
    yield goal.query
    yield goal.instruction
    yield product.title
    yield product.bullets[0]
    yield product.description


def _search(query: str) -> Action:
    return Action("search", {"query": query})


def _from_results(product: Product, goal: Goal, pages: int) -> Iterator[Action]:
    for _ in range(pages):
        yield _click(NEXT)
    yield _click(product.asin)
    for value in _choices(product, goal):
        yield _click(value)
    yield _click(BUY)


def _click(element: str) -> Action:
    return Action("click", {"element": element.lower()})


def _choices(product: Product, goal: Goal) -> Sequence[str]:
    """Return the distinct values to click, in the order of the page."""
    options = goal.options
    if not isinstance(options, tuple):
        return list(dict.fromkeys(options[name] for name in product.options if options.get(name)))
    chosen = nearest_options(product, options)
    return [chosen[name] for name in product.options if name in chosen]


def nearest_options(product: Product, wanted: Sequence[str]) -> dict[str, str]:
    """Return the product's values, by option, that are nearest to what a person wants."""
    chosen: dict[str, str] = {}
    for each in wanted:
        chosen |= _match(product, each, chosen)
    return chosen


def _match(product: Product, wanted: str, taken: dict[str, str]) -> dict[str, str]:
    """Return the option that is nearest to what a person wrote, of those not chosen yet."""
    offered = {value: name for name, values in product.options.items() for value in values}
    near = [
        value
        for value, name in offered.items()
        if value and name not in taken and alike(colour_in(value), colour_in(wanted))
    ]
    best = sorted(near, key=lambda value: value != wanted)[:1]
    return {offered[value]: value for value in best}

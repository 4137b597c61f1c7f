"""What the demonstration teacher does next, wherever a slip has led it.

A shopper who clicked the wrong product cannot go on with the list of right actions: its page does
not offer the right one. So what comes next is read off the page. Some slips are noticed: a wrong
value is put right, results without the product are left for a better search, and so is a product
that lacks a value that is asked for. Others are not: a product that only lacks an attribute or is
too dear is bought, and so is a last change of mind.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from environments.types import Action, Step
from environments.webshop.pages import PRODUCTS_SHOWN, make_page
from environments.webshop.parts import NEXT, PREV
from environments.webshop.products import Product
from environments.webshop.session import START, Session, click, search


class Shop(Protocol):
    """What of `Catalogue` is needed here."""

    @property
    def products(self) -> Mapping[str, Product]: ...
    def search(self, query: str) -> Sequence[str]: ...


def next_step(shop: Shop, asin: str, script: Sequence[Action], path: Sequence[Step]) -> Action:
    """What comes after `path`, which is not over.

    asin: the product that is wanted.
    script: how it is bought: a search, pages on, the product, its options, the purchase.
    """
    session, clicked = _walk(shop, path)
    steps = {action.arguments.get("element", ""): action for action in script}
    if asin.lower() not in steps:
        return script[min(session != START, len(script) - 1)]
    if session.asin:
        choices = list(steps)[list(steps).index(asin.lower()) + 1 : -1]
        if not _offers(shop.products[session.asin], choices):
            return Action("click", {"element": PREV.lower()}, "This is not it; I go back.")
        left = [value for value in choices if value not in clicked]
        return steps[left[0]] if left else script[-1]
    ahead = _pages_ahead(session, asin)
    if ahead == 0:
        return steps[asin.lower()]
    return steps[NEXT.lower()] if ahead > 0 and NEXT.lower() in steps else script[0]


def _walk(shop: Shop, path: Sequence[Step]) -> tuple[Session, set[str]]:
    """Where `path` leads, and what was clicked since the shopper came to that product."""
    session, clicked = START, set[str]()
    for step in path:
        if "error" in step.info:
            continue
        if step.action.tool == "search":
            session = search(session, step.action.arguments["query"], shop.search)
            continue
        element = step.action.arguments["element"].lower()
        page = make_page(session, "", shop.products, show_attributes=True)
        before, session = session, click(session, page.clickables[element])
        clicked = clicked | {element} if session.asin == before.asin else set()
    return session, clicked


def _offers(product: Product, values: Sequence[str]) -> bool:
    offered = {value for each in product.options.values() for value in each}
    return offered.issuperset(values)


def _pages_ahead(session: Session, asin: str) -> int:
    """How many pages of results on the product is; negative where it is before, or nowhere."""
    if asin not in session.results:
        return -1
    return session.results.index(asin) // PRODUCTS_SHOWN + 1 - session.number

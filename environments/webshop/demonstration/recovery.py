"""The next action of the demonstration teacher after a mistake.

After a click on the wrong product, the solution's next action is not on the page, so the next
action is chosen from the page. Some mistakes are noticed: the teacher corrects a wrong value, and
leaves results without the product and products without a requested value. Others are not: it buys a
product that only lacks an attribute or is too expensive, and keeps the value that it chose last.
"""

from collections.abc import Sequence

from environments.types import Action, Step
from environments.webshop.demonstration.mistakes import Shop
from environments.webshop.pages.pages import PRODUCTS_SHOWN, make_page
from environments.webshop.pages.parts import NEXT, PREV
from environments.webshop.pages.session import START, Session, click, search
from environments.webshop.shop.products import Product


def next_step(shop: Shop, asin: str, script: Sequence[Action], path: Sequence[Step]) -> Action:
    """Return the right action after `path`, which is not over.

    Args:
        script: how it is bought: a search, further pages, the product, its options, the purchase.
    """
    session, clicked = _walk(shop, path)
    steps = {action.arguments.get("element", ""): action for action in script}
    if asin.lower() not in steps:
        return script[min(session != START, len(script) - 1)]
    if session.asin:
        choices = list(steps)[list(steps).index(asin.lower()) + 1 : -1]
        if not _offers(shop.products[session.asin], choices):
            return Action("click", {"element": PREV.lower()})
        left = [value for value in choices if value not in clicked]
        return steps[left[0]] if left else script[-1]
    ahead = _pages_ahead(session, asin)
    if ahead == 0:
        return steps[asin.lower()]
    return steps[NEXT.lower()] if ahead > 0 and NEXT.lower() in steps else script[0]


def _walk(shop: Shop, path: Sequence[Step]) -> tuple[Session, set[str]]:
    """Return where `path` leads, and what was clicked since the shopper came to that product."""
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
    """Return how many pages ahead the product is; negative if it is behind or missing."""
    if asin not in session.results:
        return -1
    return session.results.index(asin) // PRODUCTS_SHOWN + 1 - session.number

"""The state of a shopper, and its changes by a search or a click.

A session is the whole state of the shop, so a snapshot is the session itself. It follows the
original (`SimServer` of princeton-nlp/WebShop), with its quirks:

- A search works on every page, though only the first one shows the box. It clears the options and
  keeps the list of products seen; "Back to Search" clears both.
- "Next >" is offered on the last page of results, too, and shows an empty one.
- "< Prev" goes from a description to the product, and from the product to its page of results,
  which clears the options. A click on another product does not clear them.
- A click is interpreted by its words first: an option called "buy now" buys.

Not kept: the searches `<r>`, `<a>`, `<c>` and `<q>` (for debugging the original: a random sample, a
crash, all of a category, all of a query) are ordinary words here, and a query that contains the
name of a page (`search_results`) does not mislead "< Prev".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from environments.webshop.pages.parts import BACK, BUY, DETAILS, NEXT, PREV, Part

Search = Callable[[str], Sequence[str]]
"""Returns the ids of at most 50 products for a query, best first."""


@dataclass(frozen=True, slots=True)
class Session:
    """The state at one moment of shopping.

    Attributes:
        page: "index", "results", "item", "description", "features", "reviews", "attributes" or
            "done".
        query: the last search, in lower case.
        results: the ids that it found.
        number: number of the page of results, from 1.
        asin: the product looked at, or bought; "" for none.
        options: name and value of each chosen option, in the order in which names were first
            chosen.
        seen: products looked at since the start, or since the last "Back to Search".
        reward: reward of the purchase, once the page is "done".
    """

    page: str = "index"
    query: str = ""
    results: tuple[str, ...] = ()
    number: int = 1
    asin: str = ""
    options: tuple[tuple[str, str], ...] = ()
    seen: frozenset[str] = frozenset()
    reward: float = 0.0


START = Session()


def search(session: Session, query: str, find: Search) -> Session:
    """Return the session after a search, which is possible on every page."""
    query = query.lower()
    return Session("results", query, tuple(find(query)), seen=session.seen)


def click(session: Session, part: Part) -> Session:
    """Return the session after a click on an offered `part`; a purchase is not graded."""
    element = part.text.lower()
    if element == BUY.lower():
        return replace(session, page="done")
    if element == BACK.lower():
        return START
    if session.page == "results" and element in (NEXT.lower(), PREV.lower()):
        return _turn(session, 1 if element == NEXT.lower() else -1)
    if element == PREV.lower():
        return _turn(session, 0) if session.page == "item" else replace(session, page="item")
    if element in DETAILS:
        return replace(session, page=element)
    if part.kind == "product":
        seen = session.seen | {part.text}
        return replace(session, page="item", asin=part.text, seen=seen)
    return replace(session, options=_chosen(session, part))


def _turn(session: Session, pages: int) -> Session:
    """Return the session on another page of results."""
    return replace(session, page="results", number=session.number + pages, asin="", options=())


def _chosen(session: Session, part: Part) -> tuple[tuple[str, str], ...]:
    return tuple((dict(session.options) | {part.name: part.text}).items())

"""Where a shopper is, and where a search or a click leads: a small value and two functions.

A session is all the state that the shop has, so a snapshot is the session itself. What it does
follows the original (`SimServer` of princeton-nlp/WebShop), with its quirks:

- A search is taken on every page, though only the first one shows the bar. It clears the options
  and keeps which products were looked at; "Back to Search" forgets both.
- "Next >" is offered on the last page of results too, and shows an empty one.
- "< Prev" goes from a description to the product, and from the product to its page of results,
  which clears the options. A click on another product would not clear them.
- What is clicked goes by its words first: an option called "buy now" buys.

Not kept: the searches `<r>`, `<a>`, `<c>` and `<q>` (the original's debugging: a random sample, a
crash, all of a category, all of a query) are ordinary words here; and a query that holds the name
of a page (`search_results`) does not mislead "< Prev".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from environments.webshop.parts import BACK, BUY, DETAILS, NEXT, PREV, Part

Search = Callable[[str], Sequence[str]]
"""From a query to the ids of the products found, best first, at most 50."""


@dataclass(frozen=True, slots=True)
class Session:
    """One moment of shopping.

    page: "index", "results", "item", "description", "features", "reviews", "attributes", "done".
    query, results: what was searched, in lower case, and the ids found.
    number: of the page of results, from 1.
    asin: the product looked at, or bought; "" for none.
    options: name and value of each option chosen, in the order in which names were first chosen.
    seen: products looked at since the start, or since the last "Back to Search".
    reward: of the purchase, once the page is "done".
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
    """The results of `query`, from whatever page."""
    query = query.lower()
    return Session("results", query, tuple(find(query)), seen=session.seen)


def click(session: Session, part: Part) -> Session:
    """What follows a click on `part`, which the session's page offers; a purchase is unscored."""
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
    """The results, so many pages on."""
    return replace(session, page="results", number=session.number + pages, asin="", options=())


def _chosen(session: Session, part: Part) -> tuple[tuple[str, str], ...]:
    return tuple((dict(session.options) | {part.name: part.text}).items())

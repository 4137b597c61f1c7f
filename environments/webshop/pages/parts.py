"""The pieces that pages are made of, and the words on the shop's own buttons."""

from dataclasses import dataclass

SEARCH = "Search"
BACK = "Back to Search"
NEXT = "Next >"
PREV = "< Prev"
BUY = "Buy Now"
DETAILS = ("description", "features", "reviews", "attributes")
"""Pages about a product. The button to its attributes is shown only where it is asked for."""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a page.

    Attributes:
        kind: "button", "product" and "option" can be clicked; "search" is the box to type in;
            "picture" has an address as its text; "hidden" is in the text observations, but not on
            the page for people; the others ("heading", "instruction", "title", "price", "name",
            "text") are text.
        name: for an option, what it chooses ("size").
    """

    kind: str
    text: str
    name: str = ""

"""The pages of the shop as data; `text` and `html` render them.

The parts have the order and the exact blanks of the original's templates
(`web_agent_site/templates` of princeton-nlp/WebShop).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from environments.webshop.pages.parts import BACK, BUY, DETAILS, NEXT, PREV, SEARCH, Part
from environments.webshop.pages.session import Session
from environments.webshop.shop.products import Product

PRODUCTS_SHOWN = 10


@dataclass(frozen=True)
class Page:
    """A page and its parts; `kind` is one of the values of `Session.page`."""

    kind: str
    parts: tuple[Part, ...]

    @property
    def has_search_bar(self) -> bool:
        """Whether the page shows the search box. Searches work on every page all the same."""
        return self.kind == "index"

    @cached_property
    def clickables(self) -> Mapping[str, Part]:
        """Buttons, products and options that can be clicked, by their words in lower case.

        Of two options with the same value, the later is used. As in the original, "search" is
        included, and clicking it does nothing.
        """
        found: dict[str, dict[str, Part]] = {"button": {}, "product": {}, "option": {}}
        for part in self.parts:
            if part.kind in found:
                found[part.kind][part.text.lower()] = part
        return found["button"] | found["product"] | found["option"]


def make_page(
    session: Session,
    instruction: str,
    products: Mapping[str, Product],
    *,
    show_attributes: bool = False,
) -> Page:
    """Return the page that `session` is on."""
    match session.page:
        case "index":
            return Page("index", (*_welcome(instruction), *_SEARCH_BOX))
        case "results":
            parts = _results(session, products)
        case "item":
            parts = _item(products[session.asin], dict(session.options), show_attributes)
        case "done":
            return Page("done", tuple(_receipt(session)))
        case _:
            parts = _details(session.page, products[session.asin])
    return Page(session.page, (*_reminder(instruction), *parts))


_SEARCH_BOX = (Part("search", ""), Part("button", SEARCH))


def _welcome(instruction: str) -> tuple[Part, ...]:
    heading = Part("heading", "WebShop"), Part("heading", "Instruction: ")
    return *heading, Part("instruction", instruction)


def _reminder(instruction: str) -> tuple[Part, ...]:
    heading = Part("heading", "Instruction:"), Part("instruction", instruction)
    return *heading, Part("button", BACK)


def _results(session: Session, products: Mapping[str, Product]) -> Iterator[Part]:
    total = len(session.results)
    yield Part("heading", f"Page {session.number} (Total results: {total})")
    if session.number > 1:
        yield Part("button", PREV)
    yield Part("button", NEXT)
    first = (session.number - 1) * PRODUCTS_SHOWN
    for asin in session.results[first : first + PRODUCTS_SHOWN]:
        product = products[asin]
        yield _picture(product.images)
        yield Part("product", asin)
        yield Part("title", product.title)
        yield Part("price", product.price_text)


def _item(product: Product, chosen: Mapping[str, str], show_attributes: bool) -> Iterator[Part]:
    yield Part("button", PREV)
    pictures = [product.option_images[v] for v in chosen.values() if v in product.option_images]
    yield _picture((*pictures[-1:], *product.images))
    for name, values in product.options.items():
        yield Part("name", name)
        for value in values:
            yield Part("option", value, name)
    yield Part("title", product.title)
    yield Part("price", f"Price: {product.price_text}")
    yield Part("text", f"Rating: {product.rating}")
    for detail in DETAILS:
        if detail != "attributes" or show_attributes:
            yield Part("button", detail.capitalize())
    yield Part("button", BUY)


def _details(kind: str, product: Product) -> Iterator[Part]:
    yield Part("button", PREV)
    match kind:
        case "description":
            yield Part("text", product.description)
        case "features":
            yield from _list(product.bullets)
        case "attributes":
            yield from _list(product.attributes)
            for text in (product.category, product.query, product.product_category):
                yield Part("text", text)
        case _:
            for review in product.reviews:
                for text in (f'"{review.title}"', review.score, review.text):
                    yield Part("text", text)


def _list(items: Iterable[str]) -> Iterator[Part]:
    return (Part("text", f" {item}") for item in items)


def _picture(images: tuple[str, ...]) -> Part:
    return Part("picture", images[0] if images else "")


def _receipt(session: Session) -> Iterator[Part]:
    """Yield the last page; most is hidden, and what only crowd workers saw is empty."""
    yield Part("heading", "Thank you for shopping with us!")
    for text in ("Your code: ", "None", " (Paste it in your MTurk interface.)"):
        yield Part("hidden", text)
    yield from _hidden("Purchased", "asin", session.asin, "options", _options_text(session))
    yield from _hidden("attrs", "None", "category", "None", "query", "None")
    yield from _hidden("product category", "None", "Target", "asin", "options", "attrs")
    yield from _hidden("price upper", "instuction text", "category", "product category", "query")
    yield from _hidden("Goal ", "None", "Reward")
    yield Part("heading", "Your score (min 0.0, max 1.0)")
    yield Part("text", str(session.reward))
    yield from _hidden("Reward Details ", "None")


def _hidden(*texts: str) -> Iterator[Part]:
    return (Part("hidden", text) for text in texts)


def _options_text(session: Session) -> str:
    """Return JSON in which the special characters of HTML are escaped."""
    text = json.dumps(dict(session.options), sort_keys=True)
    for character in "<>&'":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text

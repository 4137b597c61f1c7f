"""A page as a person sees it: the parts of `pages`, as HTML without scripts.

Everything from the data is escaped, and a picture is shown only if its address is one that a
browser can do nothing with but show it (http, https, or an inline image).
"""

import re
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from environments.webshop.pages.pages import Page
from environments.webshop.pages.parts import SEARCH, Part
from environments.webshop.pages.session import Session

STYLE = Path(__file__).with_name("style.css")

_SHOWABLE = re.compile(r"https?://|data:image/(png|jpeg|gif|webp);base64,", re.IGNORECASE)
_TAGS = {"heading": "h2", "title": "h1", "name": "h3"}


def document(title: str, *body: str) -> str:
    """Return a whole page; `body` is HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        '<link rel="stylesheet" href="/style.css"><link rel="icon" href="data:,">\n'
        "</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def button(label: str, *, name: str, value: str, style: str, pressed: bool = False) -> str:
    """Return a button that sends `name=value` with the form around it."""
    state = ' aria-pressed="true"' if pressed else ""
    return (
        f'<button class="{escape(style)}" name="{escape(name)}" value="{escape(value)}"{state}>'
        f"{escape(label)}</button>"
    )


def form(action: str, *content: str) -> str:
    """Return a form that posts to `action`; `content` is HTML."""
    return f'<form method="post" action="{escape(action)}">\n' + "\n".join(content) + "\n</form>"


def shop_page(page: Page, session: Session, *, by_title: bool = False) -> str:
    """Return the body of a page: words to search go to `/search`, clicks to `/click`.

    A product of the results begins with its picture, and is an article. It is opened by its id, as
    in the original; for people, `by_title`.
    """
    parts = [part for part in page.parts if not (page.has_search_bar and part.text == SEARCH)]
    groups: list[list[str]] = [[]]
    product = ""  # the id, which comes before the title
    titled = by_title and page.kind == "results"
    for part in parts:
        if part.kind == "picture" and page.kind == "results":
            groups.append([])
        if titled and part.kind == "product":
            product = part.text
        elif titled and part.kind == "title":
            groups[-1] += _result(product, part.text)
        else:
            groups[-1] += _part(part, session)
    content = [*groups[0], *_articles(groups[1:])]
    if not page.has_search_bar:
        content = [form("/click", *content)]
    return f'<main class="{escape(page.kind)}">\n' + "\n".join(content) + "\n</main>"


def _result(product: str, title: str) -> Iterator[str]:
    """Yield the title of a product, as the button that opens it, and its id."""
    yield button(title or product, name="element", value=product, style="product")
    yield f'<p class="id">{escape(product)}</p>'


def _articles(groups: Iterable[list[str]]) -> Iterator[str]:
    return ("<article>" + "\n".join(group) + "</article>" for group in groups)


def _part(part: Part, session: Session) -> Iterator[str]:
    match part.kind:
        case "search":
            yield form("/search", _SEARCH_BOX)
        case "picture":
            if _SHOWABLE.match(part.text):
                yield f'<img src="{escape(part.text)}" alt="" loading="lazy">'
        case "button" | "product":
            yield button(part.text, name="element", value=part.text, style=part.kind)
        case "option":
            pressed = (part.name, part.text) in session.options
            style = "option"
            yield button(part.text, name="element", value=part.text, style=style, pressed=pressed)
        case "hidden":
            return
        case _:
            tag = _TAGS.get(part.kind, "p")
            yield f'<{tag} class="{escape(part.kind)}">{escape(part.text)}</{tag}>'


_SEARCH_BOX = (
    '<input type="search" name="query" aria-label="Search" placeholder="Search..." required '
    f"autofocus>\n<button>{SEARCH}</button>"
)

"""A page as the agent reads it: the original's observations `text` and `text_rich`.

The original makes HTML, parses it, and strips it (`convert_html_to_text` of
princeton-nlp/WebShop). This module writes the same characters without the HTML:

- `text`: the pieces of text, stripped, joined by " [SEP] ".
- `text_rich`: one line per piece, with "[button] ... [button_]" around what can be clicked, and
  "[clicked button] ..." around what was clicked.

Quirks kept: a piece of blanks alone is a line break (dropped) or one blank (kept). An option counts
as clicked if its value is in quotes in the address of the product's page; so one with a quote or a
letter outside ASCII never counts, and one that the query names in quotes always does.
"""

import json
from collections.abc import Callable, Iterator

from environments.webshop.pages.pages import Page
from environments.webshop.pages.parts import Part
from environments.webshop.pages.session import Session

_BLANKS = " \n\t\x0c\r"
_SEPARATOR = " [SEP] "


def plain(page: Page, session: Session) -> str:
    """Return the observation `text`."""
    return _SEPARATOR.join(text.strip() for _, text in _pieces(page))


def rich(page: Page, session: Session) -> str:
    """Return the observation `text_rich`."""
    address = _address(session)
    clicked: list[str] = []
    lines = []
    for part, text in _pieces(page):
        match part.kind:
            case "button":
                lines.append(f"[button] {text} [button_]\n")
            case "option" if f'"{text}"' in address:
                clicked.append(f"You have clicked {text}.\n")
                lines.append(f"  [clicked button] {text} [clicked button_]\n")
            case "option":
                lines.append(f"  [button] {text} [button_]\n")
            case "product" if text in session.seen:
                lines.append(f"\n[clicked button] {text} [clicked button_]\n")
            case "product":
                lines.append(f"\n[button] {text} [button_]\n")
            case _:
                lines.append(f"{text}\n")
    return "".join(clicked[::-1] + lines)


FORMS: dict[str, Callable[[Page, Session], str]] = {"text": plain, "text_rich": rich}


def _pieces(page: Page) -> Iterator[tuple[Part, str]]:
    """Yield each part with text, and the text that an HTML parser leaves of it."""
    for part in page.parts:
        text = part.text
        if part.kind == "picture":
            continue
        if text and not text.strip(_BLANKS):
            text = "\n" if "\n" in text else " "
        if text and text != "\n":
            yield part, text


def _address(session: Session) -> str:
    """Return what the original's address of this page holds of the query and the options."""
    query = session.query.replace(" ", "+")
    return f"{query}/{session.number}/{json.dumps(dict(session.options))}"

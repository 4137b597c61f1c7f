"""A page as the agent reads it: the original's observations `text` and `text_rich`.

The original makes HTML, parses it, and strips it (`convert_html_to_text` of
princeton-nlp/WebShop); the same characters come out here, without the HTML:

- `text`: the pieces of text, stripped, between " [SEP] ".
- `text_rich`: a line for each, with "[button] ... [button_]" around what can be clicked, and
  "[clicked button] ..." around what was.

Quirks kept: a piece of blanks alone is a line break (dropped) or one blank (kept); an option counts
as clicked where its value stands in quotes in the address of the product's page, so one with a
quote or a letter outside ASCII never does, and one named in quotes in the query always does.
"""

import json
from collections.abc import Callable, Iterator

from environments.webshop.pages import Page
from environments.webshop.parts import Part
from environments.webshop.session import Session

_BLANKS = " \n\t\x0c\r"
_SEPARATOR = " [SEP] "


def plain(page: Page, session: Session) -> str:
    """The observation `text`."""
    return _SEPARATOR.join(text.strip() for _, text in _pieces(page))


def rich(page: Page, session: Session) -> str:
    """The observation `text_rich`."""
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
    """Each part that says something, and what an HTML parser leaves of it."""
    for part in page.parts:
        text = part.text
        if part.kind == "picture":
            continue
        if text and not text.strip(_BLANKS):
            text = "\n" if "\n" in text else " "
        if text and text != "\n":
            yield part, text


def _address(session: Session) -> str:
    """What the original's address of this page holds of the query and the options."""
    query = session.query.replace(" ", "+")
    return f"{query}/{session.number}/{json.dumps(dict(session.options))}"

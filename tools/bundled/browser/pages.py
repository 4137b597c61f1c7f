"""HTML of the two sites, from their tables."""

from collections.abc import Mapping, Sequence
from html import escape

Rows = Sequence[Sequence[str]]


def page(site: str, title: str, links: Mapping[str, str], *body: str) -> str:
    """Return a page with the site's navigation."""
    items = "".join(f'<li><a href="{url}">{escape(name)}</a></li>' for name, url in links.items())
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)} - '
        f'{escape(site)}</title>\n<link rel="icon" href="data:,"></head>\n<body><nav><ul>{items}'
        f"</ul></nav>\n<main><h1>{escape(title)}</h1>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def table(head: Sequence[str], rows: Rows) -> str:
    """Return a table."""
    top = "".join(f"<th>{escape(each)}</th>" for each in head)
    lines = ("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>\n" + "\n".join(lines) + "</table>"


def chooser(label: str, name: str, options: Sequence[str]) -> str:
    """Return a list to choose from, with nothing chosen."""
    items = "".join(f"<option>{escape(each)}</option>" for each in options)
    return (
        f'<p><label>{escape(label)} <select name="{name}" required><option value="">Choose'
        f"</option>{items}</select></label></p>"
    )


def field(label: str, name: str, kind: str = "text") -> str:
    """Return a field to fill in."""
    return f'<p><label>{escape(label)} <input name="{name}" type="{kind}" required></label></p>'


def box(label: str, name: str) -> str:
    """Return a check box."""
    return (
        f'<p><label><input type="checkbox" name="{name}" value="yes"> {escape(label)}</label></p>'
    )


def form(action: str, button: str, *fields: str) -> str:
    """Return a form that sends its fields in the address."""
    return (
        f'<form action="{action}">' + "".join(fields) + f"<button>{escape(button)}</button></form>"
    )


def lookup(label: str, answers: Mapping[str, str]) -> str:
    """Return a list whose choice shows a text below it, by a script."""
    options = "".join(
        f'<option value="{escape(text)}">{escape(name)}</option>' for name, text in answers.items()
    )
    return (
        f"<p><label>{escape(label)} <select onchange=\"document.getElementById('shown')"
        f'.textContent=this.value"><option value="">Choose</option>{options}</select></label></p>'
        '<p id="shown" role="status"></p>'
    )


def thanks(text: str) -> str:
    """Return a text that a script ends with what was sent."""
    return (
        f'<p>{escape(text)}</p><ul id="sent"></ul><script>for (const [name, value] of new '
        "URLSearchParams(location.search)) { const item = document.createElement('li'); "
        "item.textContent = name + ': ' + value; "
        "document.getElementById('sent').append(item); }</script>"
    )

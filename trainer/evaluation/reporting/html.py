"""Sections as HTML without scripts; a page loads nothing."""

from collections.abc import Iterable

from trainer.evaluation.reporting.document import Section, Table
from trainer.evaluation.reporting.plots import escaped, svg

_STYLE = """\
body { font: 15px/1.45 sans-serif; color: #222; max-width: 1000px; margin: 2em auto }
table { border-collapse: collapse; margin: 1em 0 }
th, td { border-bottom: 1px solid #ddd; padding: .25em .8em; text-align: right }
th:first-child, td:first-child { text-align: left }
figure { margin: 1em 0; overflow-x: auto }
p { color: #555 }"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page may load nothing, so that even a text that got past the escaping would run nothing."""


def html(title: str, sections: Iterable[Section]) -> str:
    """Return a whole page."""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{escaped(title)}</title>",
        f"<style>\n{_STYLE}\n</style></head>",
        f"<body>\n<h1>{escaped(title)}</h1>",
        html_sections(sections),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts)


def html_sections(sections: Iterable[Section]) -> str:
    """Return the sections alone, to be put into a page."""
    return "\n".join(map(_section, sections))


def _section(section: Section) -> str:
    parts = [f"<h2>{escaped(section.title)}</h2>"]
    parts += [f"<figure>{svg(plot)}</figure>" for plot in section.plots]
    parts += map(_table, section.tables)
    parts += [f"<p>{escaped(note)}</p>" for note in section.notes]
    return f"<section>\n{chr(10).join(parts)}\n</section>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escaped(name)}</th>" for name in table.head)
    rows = [
        "<tr>" + "".join(f"<td>{escaped(cell)}</td>" for cell in cells) + "</tr>"
        for cells in table.rows
    ]
    return "\n".join(["<table>", f"<tr>{head}</tr>", *rows, "</table>"])

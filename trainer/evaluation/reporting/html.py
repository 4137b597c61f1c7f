"""Sections as HTML without scripts; a page loads nothing."""

from collections.abc import Iterable
from html import escape
from itertools import zip_longest

from trainer.evaluation.reporting.document import Example, Page, Section, Table
from trainer.evaluation.reporting.plots import escaped, svg

_STYLE = """\
:root { color-scheme: light dark; --text: #1f2328; --pale: #59636e; --line: #d1d9e0;
    --ground: #fff; --box: #f6f8fa; --link: #0860c4 }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ee; --pale: #9ea7b3; --line: #3a424c;
    --ground: #14181d; --box: #1d232a; --link: #6cb0ff } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground);
    max-width: 960px; margin: 0 auto; padding: 1.5em 1em 4em; overflow-wrap: break-word }
h1 { text-wrap: balance; font-size: 1.6em; line-height: 1.25; margin: .2em 0 .4em }
h2 { font-size: 1.15em; margin: 2em 0 .5em }
h3 { font-size: 1em; margin: 0 }
a { color: var(--link) }
p { margin: .5em 0 }
.what, .note { color: var(--pale); font-size: .9em }
.verdict { font-size: 1.1em }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: .6em 0; font-size: .9em;
    font-variant-numeric: tabular-nums }
th, td { border-bottom: 1px solid var(--line); padding: .3em .7em; text-align: left;
    vertical-align: top; min-width: 5em }
th { font-weight: 600 }
td:first-child { overflow-wrap: anywhere; min-width: 8em }
.plots { display: flex; flex-wrap: wrap; gap: 0 2em }
figure { margin: .8em 0; width: 100%; max-width: 440px }
figure svg { width: 100%; height: auto; display: block }
.example { background: var(--box); border: 1px solid var(--line); border-radius: 6px;
    padding: .7em .9em; margin: .6em 0 }
.example dl { margin: .4em 0 0; display: grid; grid-template-columns: minmax(4em, max-content) 1fr;
    gap: .2em .8em; font-size: .9em }
.example dt { color: var(--pale); max-width: 12em }
.example dd { margin: 0; overflow-wrap: anywhere }
h2::first-letter { text-transform: uppercase }
details { margin: 2em 0 }
summary { cursor: pointer }
summary h2 { display: inline-block; margin: 0 }
td.long { min-width: 18em }
@media (max-width: 500px) { h1 { font-size: 1.3em } .example dl { grid-template-columns: 1fr } }"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page may load nothing, so that even a text that got past the escaping would run nothing."""


def html(page: Page) -> str:
    """Return a whole page."""
    above = [f'<p class="what">{escaped(page.title)}</p>'] if page.headline else []
    below = [f'<p class="verdict">{escaped(page.verdict)}</p>'] if page.verdict else []
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{escaped(page.title)}</title>",
        f"<style>\n{_STYLE}\n</style></head>",
        "<body>",
        *above,
        f"<h1>{escaped(page.headline or page.title)}</h1>",
        *below,
        *(f"<figure>{svg(plot)}</figure>" for plot in page.plots),
        html_sections(page.summary),
        html_sections(page.sections),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts)


def html_sections(sections: Iterable[Section]) -> str:
    """Return the sections alone, to be put into a page."""
    return "\n".join(map(_section, sections))


def _section(section: Section) -> str:
    figures = [f"<figure>{svg(plot)}</figure>" for plot in section.plots]
    parts = [f'<div class="plots">{"".join(figures)}</div>'] if figures else []
    parts += map(_table, section.tables)
    parts += map(_example, section.examples)
    parts += [f'<p class="note">{escaped(note)}</p>' for note in section.notes]
    title, body = f"<h2>{escaped(section.title)}</h2>", "\n".join(parts)
    if section.folded:
        return f"<details>\n<summary>{title}</summary>\n{body}\n</details>"
    return f"<section>\n{title}\n{body}\n</section>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escaped(name)}</th>" for name in table.head)
    rows = [
        "<tr>" + f"<td>{_linked(cells[0], link)}</td>" + "".join(map(_cell, cells[1:])) + "</tr>"
        for cells, link in zip_longest(table.rows, table.links, fillvalue="")
    ]
    return "\n".join(['<div class="wide"><table>', f"<tr>{head}</tr>", *rows, "</table></div>"])


def _cell(text: str) -> str:
    return (
        f'<td class="long">{escaped(text)}</td>' if len(text) > 60 else f"<td>{escaped(text)}</td>"
    )


def _example(example: Example) -> str:
    runs = [
        f"<dt>{escaped(name)}</dt><dd>{escaped(did)}{_see(link)}</dd>"
        for name, did, link in example.runs
    ]
    return (
        f'<div class="example"><h3>{escaped(example.title)}</h3><p>{escaped(example.text)}</p>'
        f"<dl>{''.join(runs)}</dl></div>"
    )


def _see(link: str) -> str:
    return f" {_linked('see the tree', link)}" if link else ""


def _linked(text: str, link: str) -> str:
    return f'<a href="{escape(link)}">{escaped(text)}</a>' if link else escaped(text)

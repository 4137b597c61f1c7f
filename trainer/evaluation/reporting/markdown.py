"""Sections as Markdown; plots become lines of text."""

import re

from trainer.evaluation.reporting.document import Example, Page, Table, line
from trainer.evaluation.reporting.plots import text

_ACTIVE = re.compile(r"([\\`*_{}\[\]<>#!|~&$:@])")


def markdown(page: Page) -> str:
    """Return a whole document."""
    parts = [f"# {_escaped(page.title)}"]
    parts += [f"**{_escaped(page.headline)}**"] if page.headline else []
    parts += [_escaped(page.verdict)] if page.verdict else []
    parts += [f"```text\n{text(plot)}\n```" for plot in page.plots]
    for section in (*page.summary, *page.sections):
        parts.append(f"## {_escaped(section.title)}")
        parts += map(_table, section.tables)
        parts += map(_example, section.examples)
        # No label can close the fence: a bar follows it in the same line.
        parts += [f"```text\n{text(plot)}\n```" for plot in section.plots]
        parts += map(_escaped, section.notes)
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    rule = ["---", *["---:"] * (len(table.head) - 1)]
    rows = [table.head, *table.rows]
    lines = [f"| {' | '.join(map(_escaped, cells))} |" for cells in rows]
    return "\n".join([lines[0], f"| {' | '.join(rule)} |", *lines[1:]])


def _example(example: Example) -> str:
    runs = [f"- {_escaped(name)}: {_escaped(did)}" for name, did, _ in example.runs]
    return f"**{_escaped(example.title)}**: {_escaped(example.text)}\n\n" + "\n".join(runs)


def _escaped(text: str) -> str:
    """Return `text` without active markup, HTML or links: it renders as itself."""
    return _ACTIVE.sub(r"\\\1", line(text))

"""Sections as Markdown; plots become lines of text."""

import re
from collections.abc import Iterable

from trainer.evaluation.reporting.document import Section, Table, line
from trainer.evaluation.reporting.plots import text

_ACTIVE = re.compile(r"([\\`*_{}\[\]<>#!|~&$:@])")


def markdown(title: str, sections: Iterable[Section]) -> str:
    """Return a whole document."""
    parts = [f"# {_escaped(title)}"]
    for section in sections:
        parts.append(f"## {_escaped(section.title)}")
        parts += map(_table, section.tables)
        # No label can close the fence: a bar follows it in the same line.
        parts += [f"```text\n{text(plot)}\n```" for plot in section.plots]
        parts += map(_escaped, section.notes)
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    rule = ["---", *["---:"] * (len(table.head) - 1)]
    rows = [table.head, *table.rows]
    lines = [f"| {' | '.join(map(_escaped, cells))} |" for cells in rows]
    return "\n".join([lines[0], f"| {' | '.join(rule)} |", *lines[1:]])


def _escaped(text: str) -> str:
    """Return `text` without active markup, HTML or links: it renders as itself."""
    return _ACTIVE.sub(r"\\\1", line(text))

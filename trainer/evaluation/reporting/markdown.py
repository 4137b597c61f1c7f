"""Sections as Markdown, plots as lines of text."""

import re
from collections.abc import Iterable

from trainer.evaluation.reporting.document import Section, Table, line
from trainer.evaluation.reporting.plots import text

_ACTIVE = re.compile(r"([\\`*_{}\[\]<>#!|~&$:@])")


def markdown(title: str, sections: Iterable[Section]) -> str:
    """The document."""
    parts = [f"# {_escaped(title)}"]
    for section in sections:
        parts.append(f"## {_escaped(section.title)}")
        parts += map(_table, section.tables)
        # No label closes the fence: a bar follows each of them in its line.
        parts += [f"```text\n{text(plot)}\n```" for plot in section.plots]
        parts += map(_escaped, section.notes)
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    rule = ["---", *["---:"] * (len(table.head) - 1)]
    rows = [table.head, *table.rows]
    lines = [f"| {' | '.join(map(_escaped, cells))} |" for cells in rows]
    return "\n".join([lines[0], f"| {' | '.join(rule)} |", *lines[1:]])


def _escaped(text: str) -> str:
    """Text that renders as itself: no markup, no HTML, no link."""
    return _ACTIVE.sub(r"\\\1", line(text))

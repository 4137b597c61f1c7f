"""Sections as tables for a terminal."""

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from trainer.evaluation.reporting import document
from trainer.evaluation.reporting.document import Section, line


def tables_and_notes(sections: Iterable[Section]) -> Iterator[RenderableType]:
    """Yield, for rich, the tables of each section and its notes below them."""
    for section in sections:
        for number, table in enumerate(section.tables):
            yield _table(table, "" if number else section.title)
        for note in section.notes:
            yield _text(note)


def _table(table: document.Table, title: str) -> Table:
    made = Table(title=_text(title) if title else None, title_justify="left")
    for at, name in enumerate(table.head):
        made.add_column(_text(name), justify="right" if at else "left", overflow="fold")
    for cells in table.rows:
        made.add_row(*map(_text, cells))
    return made


def _text(cell: str) -> Text:
    """Return plain text without markup: a model may have written "[link=...]" into a cell."""
    return Text(line(cell))

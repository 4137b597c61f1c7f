"""Sections as tables for a person at a terminal."""

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from trainer.evaluation.reporting import document
from trainer.evaluation.reporting.document import Section, line


def printable(sections: Iterable[Section]) -> Iterator[RenderableType]:
    """For `rich`: the tables of each section, and its notes below them."""
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
    """Text and no markup: a cell may hold "[link=...]" of a model's."""
    return Text(line(cell))

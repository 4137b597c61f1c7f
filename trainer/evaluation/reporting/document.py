"""What a report is made of, whoever writes it."""

import re
from dataclasses import dataclass, field

from trainer.evaluation.measures.statistics import Figure

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_LONGEST = 400  # characters of a text


def line(text: str) -> str:
    """`text` as one line that a terminal and a page show as it is: without escape codes, marks of
    direction and blanks that nobody sees; shortened."""
    told = " ".join(_CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).split())
    return told if len(told) <= _LONGEST else f"{told[: _LONGEST - 1]}…"


@dataclass(frozen=True, slots=True)
class Table:
    """head: of the columns, the first of which names the rows.   rows: as many texts each."""

    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Plot:
    """Figures between 0 and 1, with their intervals.

    series: the names of what is compared.   points: a name, and a figure for each of `series`,
    None where it has none.   curve: the points are in an order worth a line (k, depth).
    """

    title: str
    series: tuple[str, ...]
    points: list[tuple[str, tuple[Figure | None, ...]]]
    curve: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """notes: what a reader must know of the figures, a sentence each."""

    title: str
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)

"""What a report consists of, whatever format it is written in: sections, tables, plots."""

import re
from dataclasses import dataclass, field

from trainer.evaluation.measures.statistics import Figure

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_LONGEST = 400  # characters of a text


def line(text: str) -> str:
    """Return `text` as one line, shortened, that terminals and pages show as it is.

    Escape codes, direction marks and invisible blanks are removed.
    """
    cleaned = " ".join(_CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).split())
    return cleaned if len(cleaned) <= _LONGEST else f"{cleaned[: _LONGEST - 1]}…"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts.

    Attributes:
        head: Titles of the columns; the first column names the rows.
        rows: As many texts each as `head` has.
        links: Where the first cell of each row leads to in a page; "" or nothing for nowhere.
    """

    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A task, and what each run made of it.

    Attributes:
        title: The task's id.
        text: Its prompt.
        runs: For each run its name, what it did, and the link to it in a page ("" for none).
    """

    title: str
    text: str
    runs: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Plot:
    """Figures between 0 and 1, with their intervals.

    Attributes:
        title: Its title.
        series: Names of what is compared.
        points: A name, and a figure for each of `series`; None if there is none.
        curve: Draw a line; the points have an order (k, depth).
    """

    title: str
    series: tuple[str, ...]
    points: list[tuple[str, tuple[Figure | None, ...]]]
    curve: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report.

    Attributes:
        title: Its title.
        notes: Sentences about how to read the figures.
        tables: Its tables.
        plots: Its plots.
        examples: Its examples.
        folded: A page shows the title alone until it is opened.
    """

    title: str
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A report in a file.

    Attributes:
        title: What it is about.
        headline: The result in one sentence; "" for none.
        verdict: How sure that is; "" for nothing.
        plots: What stands below the headline.
        summary: What a reader in a hurry needs.
        sections: All figures.
    """

    title: str
    headline: str = ""
    verdict: str = ""
    plots: list[Plot] = field(default_factory=list)
    summary: list[Section] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

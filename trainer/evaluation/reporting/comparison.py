"""Reports side by side, as people read them: at a terminal, in a notebook, in a file."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderableType

from trainer.errors import TrainerError
from trainer.evaluation.overall import Overall
from trainer.evaluation.report import Report
from trainer.evaluation.reporting.document import Page, Section
from trainer.evaluation.reporting.html import html, html_sections
from trainer.evaluation.reporting.markdown import markdown
from trainer.evaluation.reporting.run_pages import write_run_pages
from trainer.evaluation.reporting.sections import sections
from trainer.evaluation.reporting.summary import (
    headline,
    summary,
    verdict,
    without_first_plot,
)
from trainer.evaluation.reporting.terminal import tables_and_notes
from trainer.evaluation.reporting.worlds import worlds
from treegraft.write_files import is_stream, write_text

_WRITERS = {".html": html, ".md": markdown}


class Printed(ABC):
    """Sections under a title, as text, as a page or as Markdown."""

    __slots__ = ()

    @property
    @abstractmethod
    def title(self) -> str:
        """The title of a file."""

    @property
    @abstractmethod
    def sections(self) -> list[Section]:
        """What there is to say."""

    def page(self, file: Path) -> Page:
        """Return what is written to `file`; what it links to is written first."""
        return Page(self.title, sections=self.sections)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        yield from tables_and_notes(self.sections)

    def __repr__(self) -> str:
        console = Console(file=StringIO())
        with console.capture() as captured:
            console.print(self)
        return captured.get()

    def _repr_html_(self) -> str:
        return html_sections(self.sections)

    def save(self, file: Path | str) -> None:
        """Write a page (`.html`) or Markdown (`.md`), in place of an earlier one.

        Raises:
            TrainerError: The file has another ending.
            FileError: It cannot be written.
        """
        file = Path(file)
        check_name(file)
        write_text(file, _WRITERS.get(file.suffix, markdown)(self.page(file)))


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Printed):
    """Reports side by side; differences are the last less the first.

    Attributes:
        reports: At least one.
    """

    reports: Sequence[Report]

    @property
    def title(self) -> str:
        """See `Printed`."""
        return f"Evaluation of {', '.join(report.name for report in self.reports)}"

    @property
    def sections(self) -> list[Section]:
        """See `Printed`."""
        return sections(self.reports)

    def page(self, file: Path) -> Page:
        """See `Printed`."""
        own, reports = self.sections, self.reports
        pages = write_run_pages(file, reports) if file.suffix == ".html" else [""] * len(reports)
        played = any(report.outcomes for report in reports)
        return Page(
            self.title,
            headline(reports),
            verdict(reports),
            own[0].plots if played else [],
            summary(reports, pages),
            without_first_plot(own) if played else own,
        )


@dataclass(frozen=True, slots=True, repr=False)
class WorldsComparison(Printed):
    """Students side by side, in each world and over all of them.

    Attributes:
        students: At least one.
    """

    students: Sequence[Overall]

    @property
    def title(self) -> str:
        """See `Printed`."""
        return f"Evaluation of {', '.join(student.name for student in self.students)}"

    @property
    def sections(self) -> list[Section]:
        """See `Printed`."""
        return worlds(self.students)


def check_name(file: Path) -> None:
    """Check that a report can be written to a file of this name; a pipe takes Markdown.

    Raises:
        TrainerError: It ends in neither .html nor .md.
    """
    if file.suffix not in _WRITERS and not is_stream(file):
        raise TrainerError(f"--report {file}: the name must end in .html or .md")

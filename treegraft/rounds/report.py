"""The page of a run of rounds: what the rounds gained, with examples, the rounds, the cost."""

from collections.abc import Sequence
from pathlib import Path

from engine.runs.store import FILE as RUN
from trainer.evaluation.measures.statistics import Figure
from trainer.evaluation.metrics import read_report
from trainer.evaluation.report import Report
from trainer.evaluation.reporting.document import Page, Plot, Section, Table
from trainer.evaluation.reporting.html import html
from trainer.evaluation.reporting.run_pages import write_run_pages
from trainer.evaluation.reporting.summary import summary, verdict
from treegraft.rounds.curve import Point
from treegraft.rounds.plot import table
from treegraft.write_files import write_text

FILE = "report.html"
_COLUMNS = (
    "Left: train tasks that the student has not solved so far. Rows and pairs: of all rounds. "
    "Trained: tokens that the loss saw in the round. Round 0: before any training."
)


def write_report(folder: Path, points: Sequence[Point], stopped: str) -> None:
    """Write the page into folder `folder`, and the pages of the runs that it links to.

    Raises:
        TreegraftError: A file cannot be read or written.
    """
    reports = _held_out(folder, points)
    pages = write_run_pages(folder / FILE, reports)
    head, *rows = table(points)
    notes = [_spent(points), _COLUMNS, *([f"Stopped: {stopped}."] if stopped else [])]
    rounds = Section("rounds", notes, [Table(tuple(head), [tuple(row) for row in rows])])
    page = Page(
        "Rounds of exploring and training",
        headline(points),
        verdict(reports) if reports else "",
        [_plot(points)],
        [*(summary(reports, pages) if reports else []), rounds],
    )
    write_text(folder / FILE, html(page))


def headline(points: Sequence[Point]) -> str:
    """Return the result in one sentence; "" if nothing was measured."""
    measured = [(point.round, point.held_out) for point in points if point.held_out is not None]
    if not measured:
        return ""
    number, last = measured[-1]
    start, first = measured[0]
    solved = f"solves {last.hits} of {last.total} held-out tasks ({100 * last.value:.0f} %)"
    if number == 0:
        return f"Before training the student {solved}"
    said = f"After {number} round{'s' if number > 1 else ''} the student {solved}"
    if start == number:
        return said
    since = "before training" if start == 0 else f"after round {start}"
    if (more := last.hits - first.hits) == 0:
        return f"{said}, as many as {since}"
    return f"{said}, {abs(more)} {'more' if more > 0 else 'fewer'} than {since}"


def _spent(points: Sequence[Point]) -> str:
    calls, tokens = (sum(getattr(p, name) for p in points) for name in ("calls", "tokens"))
    known = [point.usd for point in points if point.usd is not None]
    dollars = f"${sum(known):,.2f}" if len(known) == len(points) else "an unknown price"
    return f"The searches of all rounds took {calls:,} calls and {tokens:,} tokens, for {dollars}."


def _held_out(folder: Path, points: Sequence[Point]) -> list[Report]:
    """Return the reports of the first and the last round that were measured, if both differ."""
    numbers = [point.round for point in points if point.held_out is not None]
    ends = dict.fromkeys([*numbers[:1], *numbers[-1:]])
    runs = [folder / f"round-{number}-held-out" for number in ends]
    return [read_report(run) for run in runs if (run / RUN).exists()]


def _plot(points: Sequence[Point]) -> Plot:
    measured: list[tuple[str, tuple[Figure | None, ...]]] = [
        (f"round {point.round}", (point.held_out,)) for point in points if point.held_out
    ]
    return Plot("held-out tasks solved, with 95 % intervals", ("student",), measured, curve=True)

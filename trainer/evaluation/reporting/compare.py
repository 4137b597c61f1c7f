"""Reports side by side: columns, rows and plots; the last is held against the first."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from trainer.evaluation.measures.statistics import Figure
from trainer.evaluation.metrics import Report
from trainer.evaluation.reporting.document import Plot

Reports = Sequence[Report]
T = TypeVar("T")


def head(reports: Reports, first: str = "", *, difference: bool = True) -> tuple[str, ...]:
    """The columns: `first` names the rows."""
    ends = ["difference"] if difference and len(reports) > 1 else []
    return (first, *(report.name for report in reports), *ends)


def row(name: str, cells: Sequence[str], difference: str = "") -> tuple[str, ...]:
    """A row for `head`; the difference is dropped where there is one report."""
    ends = [difference] if difference and len(cells) > 1 else []
    return (name, *cells, *ends)


def by_key(reports: Reports, of: Callable[[Report], Mapping[str, T]]) -> dict[str, list[T | None]]:
    """What the reports hold under each key that any of them has, None where one has not; numbers
    are in their order."""
    keys = list(dict.fromkeys(key for report in reports for key in of(report)))
    if all(key.isdecimal() for key in keys):
        keys.sort(key=int)
    return {key: [of(report).get(key) for report in reports] for key in keys}


def plot(
    title: str,
    reports: Reports,
    rows: Mapping[str, Sequence[Figure | None]],
    *,
    curve: bool = False,
) -> Plot:
    """rows: a figure of each report, by the point's name."""
    points = [(name, tuple(figures)) for name, figures in rows.items()]
    return Plot(title, tuple(report.name for report in reports), points, curve)

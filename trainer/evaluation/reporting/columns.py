"""Reports side by side: one column each, and figures as text.

A difference is the last report's figure less the first one's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from trainer.evaluation.measures.statistics import Estimate, Figure, Rate
from trainer.evaluation.report import Report
from trainer.evaluation.reporting.document import Plot

Reports = Sequence[Report]
T = TypeVar("T")


def head(reports: Reports, first: str = "", *, difference: bool = True) -> tuple[str, ...]:
    """Return the head of a table: `first` is above the names of the rows."""
    ends = ["difference"] if difference and len(reports) > 1 else []
    return (first, *(report.name for report in reports), *ends)


def row(name: str, cells: Sequence[str], difference: str = "") -> tuple[str, ...]:
    """Return a row for `head`; the difference is left out for a single report."""
    ends = [difference] if difference and len(cells) > 1 else []
    return (name, *cells, *ends)


def by_key(reports: Reports, of: Callable[[Report], Mapping[str, T]]) -> dict[str, list[T | None]]:
    """Return each report's value by key, None for a report without it; numbers are sorted."""
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
    """Return a plot of `rows`: each report's figure, by the name of the point."""
    points = [(name, tuple(figures)) for name, figures in rows.items()]
    return Plot(title, tuple(report.name for report in reports), points, curve)


def share(figure: Figure | None, *, interval: bool = True) -> str:
    """Return a share in percent: "60.0 % [39, 78] (12/20)"."""
    if figure is None:
        return "-"
    low, high = figure.interval
    bounds = f" [{100 * low:.0f}, {100 * high:.0f}]" if interval else ""
    counts = f" ({figure.hits}/{figure.total})" if isinstance(figure, Rate) else ""
    return f"{100 * figure.value:.1f} %{bounds}{counts}"


def number(figure: Estimate | float | None, digits: int = 2) -> str:
    """Return a number with its interval, if it has one: "3.25 [3.01, 3.50]"."""
    if figure is None:
        return "-"
    if isinstance(figure, Estimate):
        low, high = figure.interval
        return f"{figure.value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
    return f"{figure:.{digits}f}"


def points(values: Sequence[Figure | None]) -> str:
    """Return the last value less the first, in percentage points."""
    first, last = values[0], values[-1]
    if first is None or last is None:
        return "-"
    return _signed(100 * (last.value - first.value), 1)


def change(values: Sequence[Estimate | float | None], digits: int = 2) -> str:
    """Return the last value less the first."""
    first, last = (_value(one) for one in (values[0], values[-1]))
    return "-" if first is None or last is None else _signed(last - first, digits)


def _signed(difference: float, digits: int) -> str:
    return f"{round(difference, digits) + 0.0:+.{digits}f}"  # never "-0.0"


def _value(one: Estimate | float | None) -> float | None:
    return one.value if isinstance(one, Estimate) else one

"""Figures in words."""

from collections.abc import Sequence

from trainer.evaluation.measures.statistics import Estimate, Figure, Rate


def share(figure: Figure | None, *, interval: bool = True) -> str:
    """In percent: "60.0 % [39, 78] (12/20)"."""
    if figure is None:
        return "-"
    low, high = figure.interval
    bounds = f" [{100 * low:.0f}, {100 * high:.0f}]" if interval else ""
    counts = f" ({figure.hits}/{figure.total})" if isinstance(figure, Rate) else ""
    return f"{100 * figure.value:.1f} %{bounds}{counts}"


def number(figure: Estimate | float | None, digits: int = 2) -> str:
    """ "3.25 [3.01, 3.50]"; a plain number without an interval."""
    if figure is None:
        return "-"
    if isinstance(figure, Estimate):
        low, high = figure.interval
        return f"{figure.value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
    return f"{figure:.{digits}f}"


def points(values: Sequence[Figure | None]) -> str:
    """The last less the first, in percentage points."""
    first, last = values[0], values[-1]
    if first is None or last is None:
        return "-"
    return f"{100 * (last.value - first.value):+.1f}"


def change(values: Sequence[Estimate | float | None], digits: int = 2) -> str:
    """The last less the first."""
    first, last = (_value(one) for one in (values[0], values[-1]))
    return "-" if first is None or last is None else f"{last - first:+.{digits}f}"


def _value(one: Estimate | float | None) -> float | None:
    return one.value if isinstance(one, Estimate) else one

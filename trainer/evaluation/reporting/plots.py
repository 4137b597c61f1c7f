"""Plots of figures between 0 and 1 with their intervals: as SVG, or as lines of text."""

from collections.abc import Iterator
from html import escape

from trainer.evaluation.measures.statistics import Figure
from trainer.evaluation.reporting.columns import share
from trainer.evaluation.reporting.document import Plot, line

_COLOURS = ("#3b6ea5", "#c8702a", "#4b8f4b", "#8d5fa8", "#7a7a7a", "#b33f3f")
_ALL, _TOP = 360, 34  # pixels: the whole width, which a telephone shows, and the head
_BARS, _CURVE = (8, 220), (44, 300)  # pixels: left margin and width of the scale
_NAME, _BAR, _GAP = 16, 14, 8
_HIGH = 200  # pixels of a curve
_CELLS = 20  # characters of a text bar


def svg(plot: Plot) -> str:
    """Return one `<svg>` element; all text is escaped."""
    curve = plot.curve and len(plot.points) > 1
    drawn, bottom = _curve(plot) if curve else _bars(plot)
    legend = list(_legend(plot, bottom)) if len(plot.series) > 1 else []
    height = bottom + 12 * len(legend)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_ALL} {height}" width="{_ALL}" '
        f'height="{height}" role="img" font-family="sans-serif" font-size="12">',
        f"<title>{escaped(plot.title)}</title>",
        _words(8, 16, plot.title, weight="bold"),
        *drawn,
        *legend,
        "</svg>",
    ]
    return "\n".join(parts)


def text(plot: Plot) -> str:
    """Return one line per figure: name, bar, value."""
    named = [
        (f"{name} | {series}" if len(plot.series) > 1 else name, figure)
        for name, figures in plot.points
        for series, figure in zip(plot.series, figures, strict=True)
    ]
    width = max((len(line(name)) for name, _ in named), default=0)
    return "\n".join(
        f"{line(name):{width}}  {_bar(figure)}  {share(figure)}" for name, figure in named
    )


def _bars(plot: Plot) -> tuple[list[str], int]:
    """Return a group of horizontal bars per point, and the height without the legend."""
    left, width = _BARS
    parts, y = [], _TOP
    high = len(plot.points) * (_NAME + len(plot.series) * _BAR + _GAP)
    for tick in range(0, 101, 25):
        x = left + width * tick / 100
        parts.append(_line(x, _TOP - 4, x, _TOP + high, faint=True))
        parts.append(_words(x, _TOP + high + 14, f"{tick} %", anchor="middle" if tick else "start"))
    for name, figures in plot.points:
        parts.append(_words(left, y + 11, _short(name, 46), whole=name))
        y += _NAME
        for number, figure in enumerate(figures):
            parts += _one_bar(figure, y, number)
            y += _BAR
        y += _GAP
    return parts, _TOP + high + 24


def _one_bar(figure: Figure | None, y: float, number: int) -> Iterator[str]:
    if figure is None:
        return
    left, width = _BARS
    low, value, high = (left + width * share for share in _shares(figure))
    yield (
        f'<rect x="{left}" y="{y}" width="{value - left:.1f}" height="{_BAR - 3}" '
        f'fill="{_colour(number)}"><title>{escaped(share(figure))}</title></rect>'
    )
    middle = y + (_BAR - 3) / 2
    yield _line(low, middle, high, middle)
    yield from (_line(x, middle - 3, x, middle + 3) for x in (low, high))
    yield _words(left + width + 12, y + 10, share(figure, interval=False))


def _curve(plot: Plot) -> tuple[list[str], int]:
    """Return a line per series over equally spaced points, and the height without the legend."""
    left, width = _CURVE
    parts = []
    bottom = _TOP + _HIGH
    for tick in range(0, 101, 25):
        y = bottom - _HIGH * tick / 100
        parts.append(_line(left, y, left + width, y, faint=True))
        parts.append(_words(left - 6, y + 4, f"{tick} %", anchor="end"))
    places = [left + width * (n + 0.5) / len(plot.points) for n in range(len(plot.points))]
    for x, (name, _) in zip(places, plot.points, strict=True):
        parts.append(_words(x, bottom + 16, _short(name, 14), anchor="middle", whole=name))
    for number in range(len(plot.series)):
        figures = [figures[number] for _, figures in plot.points]
        parts += _one_curve(places, figures, number, bottom)
    return parts, bottom + 28


def _one_curve(
    places: list[float], figures: list[Figure | None], number: int, bottom: float
) -> Iterator[str]:
    colour, dots = _colour(number), []
    for x, figure in zip(places, figures, strict=True):
        if figure is None:
            continue
        # Shifted a little, so that the intervals of several series stay apart.
        x += 5 * number
        low, value, high = (bottom - _HIGH * share for share in _shares(figure))
        dots.append(f"{x:.1f},{value:.1f}")
        yield _line(x, low, x, high, colour=colour)
        yield (
            f'<circle cx="{x:.1f}" cy="{value:.1f}" r="3" fill="{colour}">'
            f"<title>{escaped(share(figure))}</title></circle>"
        )
    yield f'<polyline points="{" ".join(dots)}" fill="none" stroke="{colour}"/>'


def _legend(plot: Plot, top: float) -> Iterator[str]:
    for number, name in enumerate(plot.series):
        y = top + 24 * number
        yield f'<rect x="8" y="{y}" width="12" height="12" fill="{_colour(number)}"/>'
        yield _words(26, y + 10, _short(name, 46), whole=name)


def _words(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", whole: str = ""
) -> str:
    hint = f"<title>{escaped(whole)}</title>" if whole else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="currentColor">{escaped(text)}{hint}</text>'
    )


def _line(
    x1: float, y1: float, x2: float, y2: float, *, colour: str = "currentColor", faint: bool = False
) -> str:
    """Return a line; the page's text colour fits a light and a dark page."""
    pale = ' stroke-opacity="0.2"' if faint else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{pale}/>'
    )


def _bar(figure: Figure | None) -> str:
    full = round(_CELLS * _shares(figure)[1]) if figure else 0
    return "█" * full + "·" * (_CELLS - full)


def _shares(figure: Figure) -> tuple[float, float, float]:
    """Return low, value and high, each between 0 and 1."""
    low, high = figure.interval
    low, value, high = (min(max(share, 0.0), 1.0) for share in (low, figure.value, high))
    return low, value, high


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _short(name: str, longest: int = 32) -> str:
    name = line(name)
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def escaped(text: str) -> str:
    """Return `text` for HTML and SVG, as one line."""
    return escape(line(text))

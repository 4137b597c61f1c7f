"""Plots of figures between 0 and 1 with their intervals: as SVG, or as lines of text."""

from collections.abc import Iterator
from html import escape

from trainer.evaluation.measures.statistics import Figure
from trainer.evaluation.reporting.document import Plot, line
from trainer.evaluation.reporting.format import share

_COLOURS = ("#3b6ea5", "#c8702a", "#4b8f4b", "#8d5fa8", "#7a7a7a", "#b33f3f")
_LEFT, _WIDTH, _TOP = 220, 420, 34  # pixels: the names' column, the scale, the head
_BAR, _GAP = 14, 10
_HIGH = 200  # of a curve
_CELLS = 20  # characters of a bar of text


def svg(plot: Plot) -> str:
    """One `<svg>` element, all text escaped."""
    curve = plot.curve and len(plot.points) > 1
    drawn = _Drawing(*(_curve(plot) if curve else _bars(plot)))
    width, height = _LEFT + _WIDTH + 30, drawn.height + 24 * len(plot.series)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" font-family="sans-serif" font-size="12">',
        f"<title>{escaped(plot.title)}</title>",
        _words(_LEFT, 16, plot.title, weight="bold"),
        *drawn.parts,
        *_legend(plot, drawn.height),
        "</svg>",
    ]
    return "\n".join(parts)


def text(plot: Plot) -> str:
    """A line for each figure: name, bar, value."""
    named = [
        (f"{name} | {series}" if len(plot.series) > 1 else name, figure)
        for name, figures in plot.points
        for series, figure in zip(plot.series, figures, strict=True)
    ]
    width = max((len(line(name)) for name, _ in named), default=0)
    return "\n".join(
        f"{line(name):{width}}  {_bar(figure)}  {share(figure)}" for name, figure in named
    )


class _Drawing:
    """parts: elements.   height: in pixels, without the legend."""

    def __init__(self, parts: list[str], height: int) -> None:
        self.parts, self.height = parts, height


def _bars(plot: Plot) -> tuple[list[str], int]:
    """A group of horizontal bars for each point."""
    parts, y = [], _TOP
    high = len(plot.points) * (len(plot.series) * _BAR + _GAP)
    for tick in range(0, 101, 25):
        x = _LEFT + _WIDTH * tick / 100
        parts.append(_line(x, _TOP - 4, x, _TOP + high, "#dddddd"))
        parts.append(_words(x, _TOP + high + 14, f"{tick} %", anchor="middle"))
    for name, figures in plot.points:
        middle = y + len(figures) * _BAR / 2 + 4
        parts.append(_words(_LEFT - 8, middle, _short(name), anchor="end", whole=name))
        for number, figure in enumerate(figures):
            parts += _one_bar(figure, y, number)
            y += _BAR
        y += _GAP
    return parts, _TOP + high + 24


def _one_bar(figure: Figure | None, y: float, number: int) -> Iterator[str]:
    if figure is None:
        return
    low, value, high = (_LEFT + _WIDTH * _inside(at) for at in _places(figure))
    yield (
        f'<rect x="{_LEFT}" y="{y}" width="{value - _LEFT:.1f}" height="{_BAR - 3}" '
        f'fill="{_colour(number)}"><title>{escaped(share(figure))}</title></rect>'
    )
    middle = y + (_BAR - 3) / 2
    yield _line(low, middle, high, middle, "#222222")
    yield from (_line(x, middle - 3, x, middle + 3, "#222222") for x in (low, high))


def _curve(plot: Plot) -> tuple[list[str], int]:
    """A line for each series over the points, at equal distances."""
    parts = []
    bottom = _TOP + _HIGH
    for tick in range(0, 101, 25):
        y = bottom - _HIGH * tick / 100
        parts.append(_line(_LEFT, y, _LEFT + _WIDTH, y, "#dddddd"))
        parts.append(_words(_LEFT - 8, y + 4, f"{tick} %", anchor="end"))
    places = [_LEFT + _WIDTH * (n + 0.5) / len(plot.points) for n in range(len(plot.points))]
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
        # Aside by a little, so that the intervals of several series can be told apart.
        x += 5 * number
        low, value, high = (bottom - _HIGH * _inside(at) for at in _places(figure))
        dots.append(f"{x:.1f},{value:.1f}")
        yield _line(x, low, x, high, colour)
        yield (
            f'<circle cx="{x:.1f}" cy="{value:.1f}" r="3" fill="{colour}">'
            f"<title>{escaped(share(figure))}</title></circle>"
        )
    yield f'<polyline points="{" ".join(dots)}" fill="none" stroke="{colour}"/>'


def _legend(plot: Plot, top: float) -> Iterator[str]:
    for number, name in enumerate(plot.series):
        y = top + 24 * number
        yield f'<rect x="{_LEFT}" y="{y}" width="12" height="12" fill="{_colour(number)}"/>'
        yield _words(_LEFT + 18, y + 10, _short(name, 60), whole=name)


def _words(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", whole: str = ""
) -> str:
    hint = f"<title>{escaped(whole)}</title>" if whole else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="#222222">{escaped(text)}{hint}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _bar(figure: Figure | None) -> str:
    full = round(_CELLS * _inside(figure.value)) if figure else 0
    return "█" * full + "·" * (_CELLS - full)


def _places(figure: Figure) -> tuple[float, float, float]:
    low, high = figure.interval
    return low, figure.value, high


def _inside(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _short(name: str, longest: int = 32) -> str:
    told = line(name)
    return told if len(told) <= longest else f"{told[: longest - 1]}…"


def escaped(text: str) -> str:
    """`text` as `line` shows it, for HTML and SVG."""
    return escape(line(text))

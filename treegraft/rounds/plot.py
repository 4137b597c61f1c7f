"""The curve over rounds as a table and a plot, for the terminal and for Markdown."""

from collections.abc import Sequence
from pathlib import Path

from trainer.evaluation.measures.statistics import Rate
from treegraft.rounds.curve import Point
from treegraft.write_files import write_text

FILE = "curve.md"
HELD_OUT = "held-out (95 %)"
_COLUMNS = (
    "round",
    "method",
    "tasks",
    "student",
    "teacher",
    "left",
    "rows",
    "pairs",
    "trained",
    HELD_OUT,
    "calls",
    "tokens",
    "$",
)
_WIDTH = 50  # characters from 0 to 100 %


def table(points: Sequence[Point]) -> list[list[str]]:
    """Return the header, and one row per round."""
    return [list(_COLUMNS), *(_cells(point) for point in points)]


def plot(points: Sequence[Point]) -> str:
    """Return one line per round: the held-out solve rate and its 95 % interval."""
    head = f"{'':9}0 %{'held-out solve rate':^{_WIDTH - 6}}100 %"
    measured = [(point.round, point.held_out) for point in points if point.held_out is not None]
    return "\n".join([head, *(f"round {number:<3}{_bar(rate)}" for number, rate in measured)])


def markdown(points: Sequence[Point], stopped: str) -> str:
    """Return the table and the plot as a document."""
    head, *rows = table(points)
    lines = [
        "# Rounds",
        "",
        "Tasks: searched in the round. Student: solved by the student alone. Teacher: solved by or "
        "with the teacher. Left: train tasks that the student has not solved so far. Rows and "
        "pairs: of all rounds. Trained: tokens that the loss saw in the round, over all passes. "
        "Calls, tokens, $: of the round's searches and its credit. Round 0: before any training.",
        "",
        _row(head),
        _row(["---:"] * len(head)),
        *map(_row, rows),
        "",
        "```",
        plot(points),
        "```",
        *([] if not stopped else ["", f"Stopped: {stopped}."]),
    ]
    return "\n".join(lines) + "\n"


def write_markdown(folder: Path, points: Sequence[Point], stopped: str) -> None:
    """Write the document into folder `folder`."""
    write_text(folder / FILE, markdown(points, stopped))


def _cells(point: Point) -> list[str]:
    rate = "-" if point.held_out is None else _percent(point.held_out)
    if point.round == 0:
        return ["0", point.method, "", "", "", str(point.left), "", "", "", rate, "", "", ""]
    numbers = (point.tasks, point.student, point.teacher, point.left, point.rows, point.pairs)
    trained = "unknown" if point.trained is None else str(point.trained)
    usd = "unknown" if point.usd is None else f"{point.usd:.2f}"
    cost = (str(point.calls), str(point.tokens), usd)
    return [str(point.round), point.method, *map(str, numbers), trained, rate, *cost]


def _percent(rate: Rate) -> str:
    low, high = rate.interval
    bounds = f"[{100 * low:.0f}, {100 * high:.0f}]"
    return f"{100 * rate.value:.1f} % {bounds} {rate.hits}/{rate.total}"


def _bar(rate: Rate) -> str:
    cells = [" "] * (_WIDTH + 1)
    low, high = (round(bound * _WIDTH) for bound in rate.interval)
    cells[low : high + 1] = "─" * (high + 1 - low)
    cells[low], cells[high] = "├", "┤"
    cells[round(rate.value * _WIDTH)] = "●"
    return "".join(cells).rstrip()


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""The command `engine rounds`: its flags, and what it says in the end."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.terminal import Json, resumable, say

if TYPE_CHECKING:
    from treegraft.rounds.curve import Point
    from treegraft.rounds.run import TrainingSummary


def rounds(
    file: Annotated[Path, typer.Argument(help="TOML; docs/rounds.md explains every key.")],
    rounds: Annotated[
        int | None, typer.Option(min=1, help="How many.", show_default="what the file says")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The run's folder; the same command resumes it.", show_default="runs/FILE's name"
        ),
    ] = None,
    status: Annotated[
        bool, typer.Option("--status", help="Show how far the run is; do nothing.")
    ] = False,
    json_: Json = False,
) -> None:
    """Explore, export, train and measure, round after round, on the tasks still unsolved."""
    from treegraft.rounds.errors import StepFailed
    from treegraft.rounds.run import look
    from treegraft.rounds.run import rounds as play
    from treegraft.rounds.toml import read

    settings = read(file)
    if rounds is not None:
        settings = replace(settings, rounds=replace(settings.rounds, number=rounds))
    folder = out or Path("runs") / file.stem
    if status:
        _show(look(settings, folder), folder, json_)
        return
    try:
        with resumable():
            course = play(settings, folder, told=_tell)
    except StepFailed as error:
        say(f"error: {error}")
        say("once that is mended, the same command goes on from there")
        raise typer.Exit(1) from None
    _show(course, folder, json_)


def _tell(point: "Point") -> None:
    """One round, in a line."""
    rate = point.held_out
    measured = f"{rate.hits} of {rate.total} held-out tasks solved" if rate else "not measured"
    searched = f"{point.student + point.teacher} of {point.tasks} tasks solved in searching, "
    trained = f"{point.rows} rows, {point.pairs} pairs; " if point.round else ""
    say(f"round {point.round}: {searched if point.round else ''}{trained}{measured}")


def _show(course: "TrainingSummary", folder: Path, as_json: bool) -> None:
    if as_json:
        points = [point.to_dict() for point in course.points]
        told = {"out": str(folder), "stopped": course.stopped, "now": course.now}
        print(json.dumps({**told, "rounds": points}))
        return
    from treegraft.rounds.plot import plot
    from treegraft.rounds.run import under_way

    _print_table(course.points)
    print(plot(course.points))
    if course.now:
        number, _, step = course.now.partition("/")
        word = "under way" if under_way(folder) else "next"
        say(f"round {number}: {step} is {word}")
    else:
        say(f"stopped: {course.stopped}; {folder / 'curve.md'} holds the curve")


def _print_table(points: "Sequence[Point]") -> None:
    from rich.console import Console
    from rich.table import Table

    from treegraft.rounds.plot import HELD_OUT, table

    head, *rows = table(points)
    drawn = Table(box=None, padding=(0, 1, 0, 0))
    for name in head:
        drawn.add_column(name, justify="right", no_wrap=name != HELD_OUT)
    for row in rows:
        drawn.add_row(*row)
    console = Console()
    # Into a file or a pipe, every figure in one line.
    console.print(drawn, width=None if console.is_terminal else 120)

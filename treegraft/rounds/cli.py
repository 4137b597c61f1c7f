"""The command `engine rounds`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config import one_of
from engine.terminal import Json, resumable, say

if TYPE_CHECKING:
    from treegraft.rounds.curve import Point
    from treegraft.rounds.run import RoundsStatus


def rounds(
    file: Annotated[Path, typer.Argument(help="TOML file; docs/rounds.md explains its keys.")],
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Number of rounds.", show_default="the file's")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="teacher, rft or rft-dpo (docs/rounds.md).", show_default="the file's"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "--out",
            help="The run's folder; the same command resumes it.",
            show_default="runs/NAME for NAME.toml; with --method runs/NAME-METHOD",
        ),
    ] = None,
    status: Annotated[
        bool, typer.Option("--status", help="Show how far the run is; change nothing.")
    ] = False,
    json_: Json = False,
) -> None:
    """Explore, export, train and evaluate, round after round, on the tasks still unsolved."""
    from treegraft.rounds.run import read_status
    from treegraft.rounds.run import rounds as run_rounds
    from treegraft.rounds.settings import METHODS, read
    from treegraft.rounds.subprocesses import StepFailed

    if method is not None:
        one_of("method", method, METHODS)
    settings = read(file)
    flags = {"number": rounds, "method": method}
    given = {name: value for name, value in flags.items() if value is not None}
    settings = settings.model_copy(update={"rounds": settings.rounds.model_copy(update=given)})
    folder = output or Path("runs") / "-".join([file.stem, *([method] if method else [])])
    if status:
        _show(read_status(settings, folder), folder, json_)
        return
    try:
        with resumable():
            done = run_rounds(settings, folder, on_round=_print_round)
    except StepFailed as error:
        say(f"error: {error}")
        say("fix that, then run the same command: it resumes from there")
        raise typer.Exit(1) from None
    _show(done, folder, json_)


def _print_round(point: "Point") -> None:
    rate = point.held_out
    measured = f"{rate.hits} of {rate.total} held-out tasks solved" if rate else "not measured"
    if point.round:
        measured = (
            f"{point.student + point.teacher} of {point.tasks} tasks solved by searching, "
            f"{point.rows} rows, {point.pairs} pairs; {measured}"
        )
    say(f"round {point.round}: {measured}")


def _show(status: "RoundsStatus", folder: Path, as_json: bool) -> None:
    if as_json:
        points = [point.to_dict() for point in status.points]
        head = {"out": str(folder), "stopped": status.stopped, "now": status.now}
        print(json.dumps({**head, "rounds": points}))
        return
    from treegraft.rounds.plot import plot
    from treegraft.rounds.run import is_running

    _print_table(status.points)
    print(plot(status.points))
    if status.now:
        number, _, step = status.now.partition("/")
        word = "under way" if is_running(folder) else "next"
        say(f"round {number}: {step} is {word}")
    else:
        say(f"stopped: {status.stopped}; {folder / 'report.html'} shows how it went")


def _print_table(points: "Sequence[Point]") -> None:
    from rich.console import Console
    from rich.table import Table

    from treegraft.rounds.plot import table

    header, *rows = table(points)
    drawn = Table(box=None, padding=(0, 1, 0, 0))
    for name in header:
        drawn.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        drawn.add_row(*row)
    # Each round is one line, with every column: a narrower terminal wraps it.
    Console(width=max(Console().width, 120)).print(drawn)

"""`engine view`: a run as a page, in a file or served while the run goes on."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from engine.cli.options import Run
from engine.terminal import Json, say

if TYPE_CHECKING:
    from engine.export.rows import Pairs


def view(
    run: Run,
    html: Annotated[
        Path | None, typer.Option(help="Where to write the page.", show_default="RUN/view.html")
    ] = None,
    tasks: Annotated[str, typer.Option(help="Task ids, a,b,c; or @FILE of one id a line.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many tasks.")] = None,
    pairs: Annotated[str, typer.Option(help="Of pairs shown: step or trajectory.")] = "step",
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page on loopback; it follows the run.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of --serve; 0: any free.")] = 0,
    import_marks: Annotated[
        Path | None, typer.Option(help="Take in marks that a page let you download.")
    ] = None,
    json_: Json = False,
) -> None:
    """Show a run in a browser: trees, messages, pairs, charts; mark what is good and bad."""
    from engine.config import one_of
    from engine.errors import UsageError
    from engine.export.rows import Pairs

    one_of("pairs", pairs, get_args(Pairs))
    if serve and (html or tasks or limit or import_marks):
        raise UsageError("--serve shows the whole run: it goes with --port and --pairs only")
    if serve:
        _serve(run, pairs, port, json_)  # type: ignore[arg-type]  # checked above
    elif import_marks:
        if html or tasks or limit:
            raise UsageError("--import-marks goes alone; then run `engine view` again")
        _import(run, import_marks, json_)
    else:
        _write(run, html, (tasks, limit, pairs), json_)  # type: ignore[arg-type]  # checked above


def _write(
    run: Path, html: Path | None, shown: "tuple[str, int | None, Pairs]", json_: bool
) -> None:
    from engine.runs.tasks import read_ids
    from engine.view.reader import Source
    from engine.view.static import write

    tasks, limit, pairs = shown
    with Source.open(run, pairs) as source:
        file = html or (run if run.is_dir() else run.parent) / "view.html"
        done = write(run, file, source, read_ids(tasks), limit)
    if json_:
        print(json.dumps({"file": str(done.file), "tasks": done.tasks, "bytes": done.bytes}))
    else:
        say(f"{done.file}: {done.tasks} tasks, {done.bytes / 1e6:.1f} MB; open it in a browser")


def _import(run: Path, file: Path, json_: bool) -> None:
    from engine.errors import UsageError
    from engine.runs.annotations import append, marks_file, read_marks
    from engine.view.reader import Source

    if not file.is_file():
        raise UsageError(f"no file {file}; a page of `engine view` writes one")
    marks = read_marks(file)
    with Source.open(run) as source:
        stale = source.stale(marks)
    if stale:
        first = stale[0]
        raise UsageError(
            f"{len(stale)} of {len(marks)} marks are of other trees (node {first.node} of task "
            f"{first.task!r}): they were made on another run; nothing was taken in"
        )
    known = read_marks(marks_file(run))
    fresh = [mark for mark in marks if mark not in known]
    append(marks_file(run), fresh)
    if json_:
        print(json.dumps({"marks": len(fresh)}))
    else:
        say(f"{len(fresh)} of {len(marks)} marks added to {marks_file(run)}, which had the others")


def _serve(run: Path, pairs: "Pairs", port: int, json_: bool) -> None:
    from engine.runs.annotations import marks_file
    from engine.view.live import Feed
    from engine.view.reader import Source
    from engine.view.server import REFRESH_SECONDS, ViewApp
    from engine.web import HOST, WebServer, listen, stop_event

    with (
        Source.open(run, pairs) as source,
        Feed.open(run, source) as feed,
        WebServer(ViewApp(run, feed).app, listen(HOST, port)) as server,
        stop_event() as stop,
    ):
        if json_:
            print(json.dumps({"address": server.address}), flush=True)
        else:
            say(f"{server.address} (press Ctrl-C to stop)")
        feed.refresh()
        while not stop.wait(REFRESH_SECONDS):
            feed.refresh()
    marks = marks_file(run)
    say(f"marks are in {marks}" if marks.exists() else "nothing was marked")

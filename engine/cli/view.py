"""The command `engine view`: a run as a web page, in a file or served while the run goes on."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from engine.cli.options import Run
from engine.terminal import Json, say

if TYPE_CHECKING:
    from engine.export.pairs import PairKind


def view(
    run: Run,
    html: Annotated[
        Path | None, typer.Option(help="File to write the page to.", show_default="RUN/view.html")
    ] = None,
    tasks: Annotated[
        str, typer.Option(help="Ids of the tasks to show, a,b,c; or @FILE with one id per line.")
    ] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Most tasks to show.")] = None,
    pairs: Annotated[str, typer.Option(help="Pairs to show: step or trajectory.")] = "step",
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page on loopback; it follows the run.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port for --serve; 0 for any free one.")
    ] = 0,
    import_marks: Annotated[
        Path | None, typer.Option(help="Add the marks of a file downloaded from the page.")
    ] = None,
    json_: Json = False,
) -> None:
    """Show a run in a browser: trees, messages, pairs, charts; mark what is good or bad."""
    from engine.config import one_of
    from engine.errors import UsageError
    from engine.export.pairs import PairKind

    one_of("pairs", pairs, get_args(PairKind))
    if serve and (html or tasks or limit or import_marks):
        raise UsageError("--serve shows the whole run: combine it with --port and --pairs only")
    if serve:
        _serve(run, pairs, port, json_)  # type: ignore[arg-type]  # checked above
    elif import_marks:
        if html or tasks or limit:
            raise UsageError("use --import-marks alone; then run `engine view` again")
        _import(run, import_marks, json_)
    else:
        _write(run, html, (tasks, limit, pairs), json_)  # type: ignore[arg-type]  # checked above


def _write(
    run: Path, html: Path | None, shown: "tuple[str, int | None, PairKind]", json_: bool
) -> None:
    from engine.runs.tasks import read_ids
    from engine.view.reader import RunReader
    from engine.view.static import write_page

    tasks, limit, pairs = shown
    with RunReader.open(run, pairs) as reader:
        file = html or (run if run.is_dir() else run.parent) / "view.html"
        page = write_page(run, file, reader, read_ids(tasks), limit)
    if json_:
        print(json.dumps({"file": str(page.file), "tasks": page.tasks, "bytes": page.bytes}))
    else:
        say(f"{page.file}: {page.tasks} tasks, {page.bytes / 1e6:.1f} MB; open it in a browser")


def _import(run: Path, file: Path, json_: bool) -> None:
    from engine.errors import UsageError
    from engine.runs.annotations import annotations_file, append_annotations, read_annotations
    from engine.view.reader import RunReader

    if not file.is_file():
        raise UsageError(f"no file {file}; download one from the page of `engine view`")
    marks = read_annotations(file)
    with RunReader.open(run) as reader:
        stale = reader.stale(marks)
    if stale:
        first = stale[0]
        raise UsageError(
            f"{len(stale)} of {len(marks)} marks are about other trees (node {first.node} of task "
            f"{first.task!r}): they were made on another run; none was added"
        )
    target = annotations_file(run)
    known = read_annotations(target)
    new = [mark for mark in marks if mark not in known]
    append_annotations(target, new)
    if json_:
        print(json.dumps({"marks": len(new)}))
    else:
        say(f"{len(new)} of {len(marks)} marks added to {target}; it had the others")


def _serve(run: Path, pairs: "PairKind", port: int, json_: bool) -> None:
    from engine.runs.annotations import annotations_file
    from engine.view.live import Feed
    from engine.view.reader import RunReader
    from engine.view.server import REFRESH_SECONDS, ViewApp
    from engine.web import HOST, WebServer, listen, stop_event

    with (
        RunReader.open(run, pairs) as reader,
        WebServer(ViewApp(run, feed := Feed(reader)).app, listen(HOST, port)) as server,
        stop_event() as stop,
    ):
        if json_:
            print(json.dumps({"address": server.address}), flush=True)
        else:
            say(f"{server.address} (press Ctrl-C to stop)")
        feed.refresh()
        while not stop.wait(REFRESH_SECONDS):
            feed.refresh()
    marks = annotations_file(run)
    say(f"marks are in {marks}" if marks.exists() else "nothing was marked")

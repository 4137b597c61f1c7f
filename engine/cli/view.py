"""The command `engine view`: a run as a web page, in a file or served while the run goes on."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.flags import command
from engine.errors import UsageError
from engine.runs.annotations import annotations_file
from engine.runs.tasks import read_ids
from engine.terminal import Json, say
from engine.view.index import find_runs, index_file, write_index
from engine.view.options import ViewOptions
from engine.view.reader import RunReader, import_annotations
from engine.view.server import follow
from engine.view.static import write_page
from treegraft.write_files import beside, check_writable


def _view(
    runs: Annotated[
        list[Path],
        typer.Argument(help="A run's folder; several, or a folder of runs, get an index, too."),
    ],
    options: ViewOptions,
    json_: Json = False,
) -> None:
    """Show a run in a browser: trees, messages, pairs, charts; mark what is good or bad."""

    def report(text: str, **values: Any) -> None:
        if json_:
            print(json.dumps(values), flush=True, file=beside(options.html))
        else:
            say(text)

    run, *others = found = find_runs(runs)
    marks = annotations_file(run)
    if others or found != runs:
        if options.serve or options.tasks or options.import_marks or options.values:
            raise UsageError(
                "--serve, --tasks, --values and --import-marks take one run; name its folder"
            )
        file = options.html or index_file(runs)
        check_writable(file)
        page = write_index(found, file, options.pairs, options.limit)
        text = f"{file}: {len(found)} runs, {page.tasks} tasks; open it in a browser"
        report(text, file=str(file), runs=len(found), tasks=page.tasks)
    elif options.serve:
        with follow(run, options.pairs, options.port) as server:
            report(f"{server.address} (press Ctrl-C to stop)", address=server.address)
        say(f"marks are in {marks}" if marks.exists() else "nothing was marked")
    elif options.import_marks:
        new, total = import_annotations(run, options.import_marks)
        report(f"{new} of {total} marks added to {marks}; it had the others", marks=new)
    else:
        file = options.html or marks.with_name("view.html")
        check_writable(file)
        with RunReader.open(run, options.pairs, options.values) as reader:
            page = write_page(run, file, reader, read_ids(options.tasks), options.limit)
        text = f"{file}: {page.tasks} tasks, {page.bytes / 1e6:.1f} MB; open it in a browser"
        report(text, file=str(file), tasks=page.tasks, bytes=page.bytes)


view = command(_view)

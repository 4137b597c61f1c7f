"""The pages that show the trees of the runs of a report, for links into them."""

from collections.abc import Sequence
from pathlib import Path

from engine.errors import LeakError
from engine.runs.store import FILE as RUN
from engine.terminal import say
from trainer.evaluation.report import Report
from treegraft.write_files import is_stream, make_folder


def write_run_pages(file: Path, reports: Sequence[Report]) -> list[str]:
    """Write a page for each run beside `file`; return their paths relative to it, "" for none.

    They are in a folder of the report's name, `after-runs` for `after.html`: both can be copied to
    another machine together.

    Raises:
        FileError: A page cannot be written.
    """
    folder = file.with_name(f"{file.stem}-runs")
    pages = []
    for number, report in enumerate(reports):
        run = report.folder
        if run is None or is_stream(file) or not (run / RUN).exists():
            pages.append("")
            continue
        name = f"{number + 1}-{report.name}.html"
        pages.append(f"{folder.name}/{name}" if _write(run, folder / name) else "")
    return pages


def _write(run: Path, page: Path) -> bool:
    from engine.view.reader import RunReader
    from engine.view.static import write_page

    make_folder(page.parent)
    try:
        with RunReader.open(run, "step") as reader:
            write_page(run, page, reader)
    except LeakError as error:
        say(f"the report does not link to {run}: {error}")
        return False
    return True

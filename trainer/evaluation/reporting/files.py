"""A report as a file: a page of HTML, or Markdown, by its name."""

from pathlib import Path

from trainer.errors import TrainerError
from trainer.evaluation.reporting.compare import Reports
from trainer.evaluation.reporting.html import html
from trainer.evaluation.reporting.markdown import markdown
from trainer.evaluation.reporting.sections import sections

_WRITERS = {".html": html, ".md": markdown}


def check_name(file: Path) -> None:
    """Raises TrainerError unless there is a writer for such a file."""
    if file.suffix not in _WRITERS:
        raise TrainerError(f"--report {file}: the name must end in .html or .md")


def write_report(file: Path, reports: Reports) -> None:
    """Write `file`, in place of an earlier one.

    reports: at least one.

    Raises:
        TrainerError: the file cannot be written, or is named otherwise.
    """
    check_name(file)
    names = ", ".join(report.name for report in reports)
    text = _WRITERS[file.suffix](f"Evaluation of {names}", sections(reports))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise TrainerError(f"--report {file}: {error.strerror}") from error

"""Add the scores of judges and of people to the reports of runs."""

from collections.abc import Sequence
from pathlib import Path

from engine.terminal import say
from search.policy import PolicyError
from trainer.errors import TrainerError
from trainer.evaluation.measures.batch_ask import Asked, check
from trainer.evaluation.measures.llm_judge import journal_path, judge
from trainer.evaluation.measures.score_sheets import read_sheet, write_sheet
from trainer.evaluation.measures.scores import agreements, summary
from trainer.evaluation.measures.trajectories import trajectories
from trainer.evaluation.options import JudgementOptions, parse_judge
from trainer.evaluation.report import Report
from treegraft.urls import redact_url


def check_judges(options: JudgementOptions, run: Path) -> None:
    """Check that every judge can be reached, before a new run in folder `run` is measured.

    Raises:
        TrainerError: One cannot; names it.
    """
    for spec in options.judges:
        _, url = parse_judge(spec)
        try:
            check(Asked(journal_path(run), url))
        except PolicyError as error:
            raise TrainerError(f"--judge {redact_url(spec)}: {error}") from error


def add_judgements(options: JudgementOptions, runs: Sequence[tuple[Path, Report]]) -> None:
    """Let every judge score every trajectory of `runs`, and add people's scores.

    Args:
        options: Judges, filled-in sheets, and a sheet to write.
        runs: Folder and report of each run; the reports are changed.

    Raises:
        TrainerError: A sheet cannot be read or written, or holds no score of these runs.
        PolicyError: A judge cannot be asked.
        UsageError: A folder holds no run.
    """
    sheets = {file: read_sheet(file) for file in options.scores}
    of_all_runs = []
    for folder, report in runs:
        of_run = list(trajectories(folder))
        of_all_runs += of_run
        for spec in options.judges:
            model, url = parse_judge(spec)
            say(f"{model} judges {len(of_run)} trajectories of {report.name}")
            asked = Asked(journal_path(folder), url)
            report.judged[model] = judge(model, asked, of_run)
        for file, scores in sheets.items():
            report.judged[file.name] = summary(of_run, scores)
        report.agreement = agreements(report.judged)
    known = {one.id for one in of_all_runs}
    for file, scores in sheets.items():
        if not known & scores.keys():
            raise TrainerError(f"--scores {file}: holds no score of a trajectory of these runs")
    if options.sheet is not None:
        number = write_sheet(options.sheet, of_all_runs)
        say(f"{number} trajectories to score, 0 to 5: {options.sheet}")

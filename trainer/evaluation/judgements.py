"""Add the scores of judges and of people to the reports of runs."""

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.chat.budget import Budget
from engine.chat.prices import needed_price, price_of, read_prices
from engine.terminal import say
from search.policy import PolicyError
from trainer.errors import TrainerError
from trainer.evaluation.measures.batch_ask import Asked, check
from trainer.evaluation.measures.llm_judge import journal_path, judge
from trainer.evaluation.measures.score_sheets import read_sheet, write_sheet
from trainer.evaluation.measures.scores import agreements, summary
from trainer.evaluation.measures.tool_eval import (
    best_answers,
    compared,
    tool_eval,
    with_wins,
)
from trainer.evaluation.measures.trajectories import trajectories
from trainer.evaluation.options import JudgementOptions, parse_judge
from trainer.evaluation.report import Report
from treegraft.urls import redact_url


def check_judges(options: JudgementOptions, run: Path) -> None:
    """Check that every judge can be reached, before a new run in folder `run` is measured.

    Raises:
        TrainerError: One cannot; names it.
    """
    for flag, spec in options.endpoints:
        _, url = parse_judge(spec, flag)
        try:
            check(Asked(journal_path(run), url))
        except PolicyError as error:
            raise TrainerError(f"{flag} {redact_url(spec)}: {error}") from error


def add_judgements(options: JudgementOptions, runs: Sequence[tuple[Path, Report]]) -> None:
    """Let every judge score every trajectory of `runs`, and add people's scores.

    Args:
        options: Judges, filled-in sheets, and a sheet to write.
        runs: Folder and report of each run; the reports are changed.

    Raises:
        TrainerError: A sheet cannot be read or written, or holds no score of these runs.
        PolicyError: A judge cannot be asked.
        UsageError: A folder holds no run.
        PriceError: Dollars are bounded, and the price of a judge is not known.
    """
    ask = _askers(options)
    sheets = {file: read_sheet(file) for file in options.scores}
    of_all_runs = []
    for folder, report in runs:
        of_run = list(trajectories(folder))
        of_all_runs += of_run
        for spec in options.judges:
            model, asked = ask(spec, folder)
            say(f"{model} judges {len(of_run)} trajectories of {report.name}")
            report.judged[model] = judge(model, asked, of_run)
        for file, scores in sheets.items():
            report.judged[file.name] = summary(of_run, scores)
        report.agreement = agreements(report.judged)
    if options.tooleval:
        _add_tool_eval(options, runs, ask)
    known = {one.id for one in of_all_runs}
    for file, scores in sheets.items():
        if not known & scores.keys():
            raise TrainerError(f"--scores {file}: holds no score of a trajectory of these runs")
    if options.sheet is not None:
        number = write_sheet(options.sheet, of_all_runs)
        say(f"{number} trajectories to score, 0 to 5: {options.sheet}")


_Ask = Callable[[str, Path], tuple[str, Asked]]


def _askers(options: JudgementOptions) -> _Ask:
    """Return what gives the model of a judge, and how to ask it about a run; all share a budget."""
    prices = read_prices(None)
    budget = Budget(
        options.judge_budget_usd, options.judge_budget_calls, options.judge_budget_tokens
    )
    known = price_of if options.judge_budget_usd is None else needed_price

    def ask(spec: str, folder: Path) -> tuple[str, Asked]:
        model, url = parse_judge(spec)
        price = known(model, prices)
        return model, Asked(journal_path(folder), url, budget=budget, price=price)

    return ask


def _add_tool_eval(
    options: JudgementOptions, runs: Sequence[tuple[Path, Report]], ask: _Ask
) -> None:
    """Judge the answers of each run, and compare those of the last one with the first one's."""
    judged = []
    for folder, report in runs:
        model, asked = ask(options.tooleval, folder)
        answers = best_answers(folder)
        say(f"{model} judges {len(answers)} answers of {report.name}, as ToolEval does")
        lost = report.outcomes.keys() - answers.keys()
        report.tooleval = tool_eval(model, asked, options.tooleval_votes, answers, lost)
        judged.append((report.tooleval, answers))
    if len(runs) > 1:
        folder, last = runs[-1]
        model, asked = ask(options.tooleval, folder)
        found = compared(model, asked, judged[-1], judged[0])
        last.tooleval = with_wins(judged[-1][0], found, runs[0][1].name)

"""What judges and people say of runs, added to the runs' reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.terminal import say
from trainer.errors import TrainerError
from trainer.evaluation.measures.batch_ask import Asked
from trainer.evaluation.measures.llm_judge import journal_of, judge, named
from trainer.evaluation.measures.score_sheets import read_sheet, write_sheet
from trainer.evaluation.measures.scores import agreements, summary
from trainer.evaluation.measures.trajectories import trajectories
from trainer.evaluation.metrics import Report


@dataclass(frozen=True, slots=True)
class Opinions:
    """judges: MODEL or MODEL@URL, each.   sheets: filled in by people, a person's each.
    sheet: to be written, of all runs together.

    Raises:
        TrainerError: a judge has no name, or two have the same.
    """

    judges: Sequence[str] = ()
    sheets: Sequence[Path] = ()
    sheet: Path | None = None

    def __post_init__(self) -> None:
        names = [named(spec)[0] for spec in self.judges] + [file.name for file in self.sheets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise TrainerError(f"--judge and --scores: two are called {twice[0]}; name them apart")

    @property
    def wanted(self) -> bool:
        return bool(self.judges or self.sheets or self.sheet)


def add(opinions: Opinions, runs: Sequence[tuple[Path, Report]]) -> None:
    """Let every judge score every trajectory of `runs`, and take in what people scored.

    Raises:
        TrainerError, PolicyError, UsageError: something that the user can mend.
    """
    people = {file: read_sheet(file) for file in opinions.sheets}
    everything = []
    known: set[str] = set()
    for folder, report in runs:
        shown = list(trajectories(folder))
        everything += shown
        for spec in opinions.judges:
            model, url = named(spec)
            say(f"{model} judges {len(shown)} trajectories of {report.name}")
            asked = Asked(journal_of(folder), url)
            report.judged[model] = judge(model, asked, shown)
        for file, scores in people.items():
            report.judged[file.name] = summary(shown, scores)
        known |= {one.id for one in shown}
        report.agreement = agreements(report.judged)
    for file, scores in people.items():
        if not known & scores.keys():
            raise TrainerError(f"--scores {file}: holds no score of a trajectory of these runs")
    if opinions.sheet is not None:
        number = write_sheet(opinions.sheet, everything)
        say(f"{number} trajectories to score, 0 to 5: {opinions.sheet}")

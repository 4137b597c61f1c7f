"""One student over several worlds: its score in each, and one figure for all of them.

AgentBench (Liu et al. 2023, arXiv:2308.03688, section 4.1) divides a student's score in each world
by the mean score of all students there, and takes the mean of the quotients: so a world in which
all do well does not outweigh the others. The students here are those that are compared.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.runs.store import FILE as RUN_FILE
from trainer.errors import TrainerError
from trainer.evaluation.measures.statistics import Figure
from trainer.evaluation.metrics import read_report
from trainer.evaluation.report import Report


@dataclass(frozen=True, slots=True)
class Overall:
    """The reports on one student, by world; see `read_overall`.

    Attributes:
        name: The folder that holds the runs.
        reports: At least one.
    """

    name: str
    reports: Mapping[str, Report]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"name": self.name, "worlds": {w: r.to_dict() for w, r in self.reports.items()}}


def score(report: Report) -> Figure:
    """Return what a world counts with: the mean reward, 0 to 1."""
    return report.reward or report.solved


def folder_name(env: str) -> str:
    """Return the name of a world's folder: its own name, with letters that every system takes."""
    return re.sub(r"[^\w.-]+", "-", env).strip("-.")


def holds_worlds(folder: Path) -> bool:
    """Return whether `folder` holds runs, one for each world, and is none itself."""
    return not (folder / RUN_FILE).exists() and any(folder.glob(f"*/{RUN_FILE}"))


def read_overall(folder: Path) -> Overall:
    """Return the reports that `evaluate_worlds` made.

    Raises:
        TrainerError: A run in it holds no task yet.
    """
    runs = sorted(file.parent for file in folder.glob(f"*/{RUN_FILE}"))
    return Overall(folder.resolve().name, {run.name: read_report(run) for run in runs})


def common_worlds(students: Sequence[Overall]) -> list[str]:
    """Return the folder names of the worlds that all of `students` were measured in.

    Raises:
        TrainerError: There is none.
    """
    first, *others = [[folder_name(world) for world in one.reports] for one in students]
    found = [world for world in first if all(world in other for other in others)]
    if not found:
        raise TrainerError("--compare: the students have no world in common")
    return found


def means(students: Sequence[Overall]) -> list[float]:
    """Return each student's mean score over the worlds that they have in common."""
    table = [list(row.values()) for row in _scores(students)]
    return [sum(row) / len(row) for row in table]


def weighed_means(students: Sequence[Overall]) -> list[float]:
    """Return AgentBench's mean of each student; 1 is the mean of the students.

    A world in which all of them score 0 says nothing of them and is left out; all are 0 if there
    is no other.
    """
    table = _scores(students)
    averages = {world: sum(row[world] for row in table) / len(table) for world in table[0]}
    told = {world: average for world, average in averages.items() if average}
    return [
        sum(row[world] / average for world, average in told.items()) / len(told) if told else 0.0
        for row in table
    ]


def _scores(students: Sequence[Overall]) -> list[dict[str, float]]:
    worlds = common_worlds(students)
    named = [{folder_name(w): r for w, r in one.reports.items()} for one in students]
    return [{world: score(reports[world]).value for world in worlds} for reports in named]

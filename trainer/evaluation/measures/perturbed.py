"""What a student does where one thing looks different, compared task by task."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.evaluation.measures.statistics import (
    Estimate,
    Rate,
    mean_change,
    solve_rate_change,
)

if TYPE_CHECKING:
    from trainer.evaluation.report import Report


@dataclass(frozen=True, slots=True)
class Perturbed:
    """What a student does under one perturbation.

    Attributes:
        solved: Tasks that it solved.
        change: The rise of the solve rate (of pass@1, with several chains) against the same tasks
            as they are, with the paired 95 % interval; None if the tasks differ.
        lost: Tasks that it solves as they are, and not any more.
        gained: Tasks that it solves only now.
        valid: Steps that called a tool as its schema allows.
        failed: Tasks without a tree; they count as not solved.
    """

    solved: Rate
    change: Estimate | None
    lost: int
    gained: int
    valid: Rate
    failed: int = 0


def compared(plain: "Report", report: "Report") -> Perturbed:
    """Return what a report under a perturbation says, against that of the tasks as they are."""
    before, after = plain.outcomes, report.outcomes
    return Perturbed(
        report.solved,
        _change(plain, report),
        sum(before[id] and not after.get(id, False) for id in before),
        sum(after[id] and not before.get(id, False) for id in after),
        report.valid,
        report.failed,
    )


def _change(plain: "Report", report: "Report") -> Estimate | None:
    if plain.shares and report.shares:
        return mean_change([(plain.shares, report.shares)])
    found = solve_rate_change(plain.outcomes, report.outcomes)
    return None if found is None else Estimate(*found)

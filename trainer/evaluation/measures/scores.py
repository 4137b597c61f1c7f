"""What scores from 1 to 5 come to, and how far two judges agree.

4 and 5 are usable; a breach of content rules is 0, whatever else the trajectory is worth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from trainer.evaluation.measures.statistics import Estimate, Rate, estimate
from trainer.evaluation.measures.trajectories import Shown

SCORES = range(6)
USABLE = 4


@dataclass(frozen=True, slots=True)
class Judged:
    """One judge's scores of a run.

    mean: with its interval by bootstrap over tasks; None where nothing was scored.
    usable, breaches: of the scored trajectories.   counts: how many got each score, by the score.
    unread: replies that held no score.   failed: requests that were refused.
    scores: by trajectory (`trajectories.Shown.id`).
    """

    mean: Estimate | None
    usable: Rate
    breaches: Rate
    counts: dict[str, int]
    unread: int = 0
    failed: int = 0
    scores: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two judges on the trajectories that both scored.   kappa: see `kappa`.
    equal: those with the same score.   usable: those that both or neither find usable."""

    kappa: float | None
    equal: Rate
    usable: Rate


def summary(
    shown: Sequence[Shown], scores: Mapping[str, int], unread: int = 0, failed: int = 0
) -> Judged:
    """What one judge's `scores` of the trajectories `shown` come to; some may have none.

    scores: by trajectory; those of others are passed over.
    """
    by_task: dict[str, list[int]] = {}
    for one in shown:
        if one.id in scores:
            by_task.setdefault(one.task, []).append(scores[one.id])
    given = [score for each in by_task.values() for score in each]
    return Judged(
        estimate((sum(each), len(each)) for each in by_task.values()),
        Rate(sum(score >= USABLE for score in given), len(given)),
        Rate(given.count(0), len(given)),
        {str(score): given.count(score) for score in SCORES},
        unread,
        failed,
        {one.id: scores[one.id] for one in shown if one.id in scores},
    )


def agreements(judged: Mapping[str, Judged]) -> dict[str, Agreement]:
    """Of each two judges who have trajectories in common, by their names."""
    found = {}
    for (one, first), (other, second) in combinations(judged.items(), 2):
        both = [(first.scores[id], second.scores[id]) for id in first.scores.keys() & second.scores]
        if both:
            found[f"{one} and {other}"] = Agreement(
                kappa(both),
                Rate(sum(a == b for a, b in both), len(both)),
                Rate(sum((a >= USABLE) == (b >= USABLE) for a, b in both), len(both)),
            )
    return found


def kappa(pairs: Sequence[tuple[int, int]]) -> float | None:
    """Cohen's kappa with quadratic weights (Cohen 1968, Psychological Bulletin 70:213), in [-1, 1]:
    1 is agreement, 0 what chance brings. None where both gave all of them the same score, which
    chance brings too."""
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    apart = sum((a - b) ** 2 for a, b in pairs) / len(pairs)
    by_chance = sum((a - b) ** 2 for a in ours for b in theirs) / len(pairs) ** 2
    return 1 - apart / by_chance if by_chance else None

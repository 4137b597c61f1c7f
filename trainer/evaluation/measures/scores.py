"""Summaries of scores from 0 to 5, and how far two judges agree.

4 and 5 are usable; 0 is a breach of content rules, whatever else the trajectory is worth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from trainer.evaluation.measures.statistics import Estimate, Rate, estimate
from trainer.evaluation.measures.trajectories import TrajectoryText

SCORES = range(6)
USABLE = 4


@dataclass(frozen=True, slots=True)
class JudgeScores:
    """One judge's scores of a run; a person is a judge too.

    Attributes:
        mean: Mean score, with its interval by bootstrap over tasks; None if nothing was scored.
        usable: Usable trajectories, of the scored ones.
        breaches: Trajectories that breach content rules, of the scored ones.
        counts: Number of trajectories with each score, by the score.
        unread: Number of replies without a score, or that were cut off.
        failed: Number of requests that were refused.
        scores: Scores by trajectory (`TrajectoryText.id`).
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
    """How far two judges agree on the trajectories that both scored.

    Attributes:
        kappa: Cohen's weighted kappa, see `kappa`.
        equal: Trajectories with the same score from both.
        usable: Trajectories that both or neither call usable.
    """

    kappa: float | None
    equal: Rate
    usable: Rate


def summary(
    trajectories: Sequence[TrajectoryText],
    scores: Mapping[str, int],
    unread: int = 0,
    failed: int = 0,
) -> JudgeScores:
    """Summarise one judge's scores of a run.

    Args:
        trajectories: The run's; some may have no score.
        scores: By trajectory; scores of other trajectories are ignored.
        unread: Number of replies without a score, or that were cut off.
        failed: Number of requests that were refused.
    """
    by_task: dict[str, list[int]] = {}
    for one in trajectories:
        if one.id in scores:
            by_task.setdefault(one.task, []).append(scores[one.id])
    every = [score for each in by_task.values() for score in each]
    return JudgeScores(
        estimate((sum(each), len(each)) for each in by_task.values()),
        Rate(sum(score >= USABLE for score in every), len(every)),
        Rate(every.count(0), len(every)),
        {str(score): every.count(score) for score in SCORES},
        unread,
        failed,
        {one.id: scores[one.id] for one in trajectories if one.id in scores},
    )


def agreements(judged: Mapping[str, JudgeScores]) -> dict[str, Agreement]:
    """Return the agreement of each two judges with trajectories in common, by their names."""
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
    """Return Cohen's kappa with quadratic weights (Cohen 1968, Psychological Bulletin 70:213).

    1 is agreement, 0 is chance, -1 the lowest. None if both judges gave everything one and the
    same score, since chance agrees there too.
    """
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    apart = sum((a - b) ** 2 for a, b in pairs) / len(pairs)
    by_chance = sum((a - b) ** 2 for a in ours for b in theirs) / len(pairs) ** 2
    return 1 - apart / by_chance if by_chance else None

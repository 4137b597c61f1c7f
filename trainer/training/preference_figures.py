"""Figures about preferences: how the student ranks them before training, and what it lost.

A pair that the student ranks right already, by a wide margin, teaches it little. And DPO raises the
gap between chosen and rejected also by making both less likely (Pal et al. 2024, arXiv:2402.13228;
Razin et al. 2024, arXiv:2410.08847), which shows in the log-probability of chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.errors import TrainerError

NOTABLE_FALL = 0.1
"""Nats by which good replies may become less likely before the user is warned."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """How a model ranks pairs, by the log-probability of what the agent wrote in each half.

    Attributes:
        pairs: Number of pairs.
        wrong: Those of them whose rejected half is at least as likely as the chosen one.
        chosen: Mean log-probability of chosen halves.
        rejected: Mean log-probability of rejected halves.
    """

    pairs: int
    wrong: int
    chosen: float
    rejected: float

    @property
    def share_wrong(self) -> float:
        """Share of pairs that are ranked wrong."""
        return self.wrong / self.pairs

    @property
    def margin(self) -> float:
        """Mean log-probability of chosen minus that of rejected."""
        return self.chosen - self.rejected

    @property
    def means(self) -> str:
        """The mean log-probabilities, in words."""
        return f"mean log-probability of chosen {self.chosen:.2f}, of rejected {self.rejected:.2f}"

    def __str__(self) -> str:
        return (
            f"before training the student ranks {self.wrong} of {self.pairs} pairs "
            f"({100 * self.share_wrong:.0f} %) wrong (rejected is at least as likely as chosen); "
            f"{self.means}"
        )


def rank(chosen: Sequence[float], rejected: Sequence[float]) -> Ranking:
    """Return how a model ranks pairs, at least one, whose halves have these log-probabilities."""
    pairs = len(chosen)
    wrong = len(near(chosen, rejected, 0.0))
    return Ranking(pairs, wrong, sum(chosen) / pairs, sum(rejected) / pairs)


def near(chosen: Sequence[float], rejected: Sequence[float], nats: float) -> list[int]:
    """Return which pairs are ranked wrong, or right by at most `nats`."""
    both = zip(chosen, rejected, strict=True)
    return [number for number, (good, bad) in enumerate(both) if bad >= good - nats]


def at_boundary(chosen: Sequence[float], rejected: Sequence[float], nats: float) -> list[int]:
    """Return which pairs are `near`, at least one.

    Raises:
        TrainerError: There are none.
    """
    if kept := near(chosen, rejected, nats):
        return kept
    closest = min(good - bad for good, bad in zip(chosen, rejected, strict=True))
    raise TrainerError(
        f"--boundary {nats:g}: the student ranks all {len(chosen)} pairs right by more, the "
        f"closest by {closest:.2f} nats: raise it, or export pairs of the student's own mistakes"
    )


def warning_of_fall(first: float, last: float, remedy: str) -> str:
    """Return a warning if good replies became less likely in training, else "".

    Args:
        first: Their mean log-probability before training.
        last: The same at its end.
        remedy: What to do about it.
    """
    if not last < first - NOTABLE_FALL:
        return ""
    return (
        f"warning: good replies became less likely, from a mean log-probability of {first:.2f} to "
        f"{last:.2f}, a known failure of preference training (arXiv:2402.13228): {remedy}"
    )

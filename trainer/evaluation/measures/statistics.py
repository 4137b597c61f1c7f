"""Proportions and means, with their 95 % intervals."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from treegraft.intervals import wilson

_SAMPLES = 2000  # of a bootstrap
_DRAWN = 1 << 20  # units drawn at once, to bound memory


@dataclass(frozen=True, slots=True, repr=False)
class Rate:
    """A proportion, with its 95 % Wilson score interval.

    Attributes:
        hits: Number of cases that count.
        total: Number of cases.
    """

    hits: int
    total: int

    @property
    def value(self) -> float:
        """The proportion; 0 of nothing."""
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Low and high, in [0, 1]."""
        return wilson(self.hits, self.total)

    def __repr__(self) -> str:
        """Return text such as "45.0 % (81/180; 38 to 52)"."""
        low, high = (100 * bound for bound in self.interval)
        return f"{100 * self.value:.1f} % ({self.hits}/{self.total}; {low:.0f} to {high:.0f})"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, with its 95 % interval by bootstrap (see `estimate`)."""

    value: float
    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float]:
        """Low and high."""
        return self.low, self.high


Figure = Rate | Estimate


def estimate(units: Iterable[tuple[float, float]], *, share: bool = False) -> Estimate | None:
    """Return the mean over all values in `units`, or None if there are none.

    The interval is a percentile bootstrap over units (Efron & Tibshirani 1993, chapter 13): a unit
    (a task, a conversation) is drawn whole, since its values are alike. The draws are the same
    every time. With one unit, or identical units, that interval has zero width; so a share that is
    0 or 1 throughout gets Wilson's interval for as many units instead.

    Args:
        units: Sum and count of the values of each unit.
        share: Each value is in [0, 1].
    """
    table = np.array(list(units), dtype=float).reshape(-1, 2)
    sums, counts = table[:, 0], table[:, 1]
    if not counts.sum():
        return None
    mean = float(sums.sum() / counts.sum())
    if share and mean in (0.0, 1.0):
        return Estimate(mean, *wilson(int(mean) * len(table), len(table)))
    random, means = np.random.default_rng(0), []
    rounds = max(1, min(_SAMPLES, _DRAWN // len(table)))
    for done in range(0, _SAMPLES, rounds):
        drawn = random.integers(len(table), size=(min(rounds, _SAMPLES - done), len(table)))
        total = counts[drawn].sum(axis=1)
        means.append(sums[drawn].sum(axis=1)[total > 0] / total[total > 0])
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return Estimate(mean, float(low), float(high))


def mean_change(runs: Iterable[tuple[Mapping[str, float], Mapping[str, float]]]) -> Estimate | None:
    """Return how much the mean over tasks rose from before to after; None if the tasks differ.

    See `estimate` for the interval: a task is drawn with its results in every pair, so that several
    seeds on the same tasks do not count as more tasks.

    Args:
        runs: Before and after of each pair of runs: by task id its result, 0 to 1.
    """
    rises: dict[str, list[float]] = {}
    for before, after in runs:
        if before.keys() != after.keys():
            return None
        for id, value in before.items():
            rises.setdefault(id, []).append(after[id] - value)
    return estimate((sum(each), len(each)) for each in rises.values())


def solve_rate_change(
    before: Mapping[str, bool], after: Mapping[str, bool]
) -> tuple[float, float, float] | None:
    """Return how much the solve rate rose, and the low and high end of its 95 % interval.

    Score method for paired proportions (Newcombe 1998, Statist. Med. 17:2635, method 10). None if
    the tasks differ.

    Args:
        before: Whether each task was solved, by id.
        after: The same, later.
    """
    if before.keys() != after.keys() or not before:
        return None
    n = len(before)
    pairs = Counter((after[id], before[id]) for id in before)
    both, gained, lost = pairs[True, True], pairs[True, False], pairs[False, True]
    neither = n - both - gained - lost
    new, old = both + gained, both + lost
    p, q, phi = new / n, old / n, _phi(both, gained, lost, neither)
    (low1, high1), (low2, high2) = wilson(new, n), wilson(old, n)
    down1, up1, down2, up2 = p - low1, high1 - p, q - low2, high2 - q
    low = sqrt(max(0.0, down1 * down1 - 2 * phi * down1 * up2 + up2 * up2))
    high = sqrt(max(0.0, up1 * up1 - 2 * phi * up1 * down2 + down2 * down2))
    return p - q, p - q - low, p - q + high


def _phi(both: int, gained: int, lost: int, neither: int) -> float:
    """Return how far two runs solve the same tasks, with Newcombe's continuity correction."""
    product = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    if not product:
        return 0.0
    n, cross = both + gained + lost + neither, both * neither - gained * lost
    if cross > 0:
        return max(cross - n / 2, 0.0) / sqrt(product)
    return cross / sqrt(product)

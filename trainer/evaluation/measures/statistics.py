"""Proportions and means, with their 95 % intervals."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

_Z = 1.959964  # 95 %
_SAMPLES = 2000  # of a bootstrap
_DRAWN = 1 << 20  # units drawn at once, to bound memory


@dataclass(frozen=True, slots=True)
class Rate:
    """hits of total, and the 95 % Wilson score interval of the proportion."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.hits, self.total)

    def __str__(self) -> str:
        """ "45.0 % (81/180; 38 to 52)"."""
        low, high = (100 * bound for bound in self.interval)
        return f"{100 * self.value:.1f} % ({self.hits}/{self.total}; {low:.0f} to {high:.0f})"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, and its 95 % interval by bootstrap (see `estimate`)."""

    value: float
    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float]:
        return self.low, self.high


Figure = Rate | Estimate


def estimate(units: Iterable[tuple[float, float]], *, share: bool = False) -> Estimate | None:
    """The mean of all that `units` hold, where a unit (a task, a conversation) is drawn whole:
    what belongs to it is alike. None of nothing.

    Percentile bootstrap (Efron & Tibshirani 1993, chapter 13), the same draws every time. Of units
    that are all alike, and of a single one, its interval has no width: it knows no others. So the
    interval of a share that is 0 or 1 throughout is Wilson's, of as many units.

    units: sum and count of each.   share: each value is in [0, 1].
    """
    table = np.array(list(units), dtype=float).reshape(-1, 2)
    sums, counts = table[:, 0], table[:, 1]
    if not counts.sum():
        return None
    mean = float(sums.sum() / counts.sum())
    if share and mean in (0.0, 1.0):
        return Estimate(mean, *wilson(int(mean) * len(table), len(table)))
    drawing, means = np.random.default_rng(0), []
    rounds = max(1, min(_SAMPLES, _DRAWN // len(table)))
    for done in range(0, _SAMPLES, rounds):
        drawn = drawing.integers(len(table), size=(min(rounds, _SAMPLES - done), len(table)))
        total = counts[drawn].sum(axis=1)
        means.append(sums[drawn].sum(axis=1)[total > 0] / total[total > 0])
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return Estimate(mean, float(low), float(high))


def changed(runs: Iterable[tuple[Mapping[str, float], Mapping[str, float]]]) -> Estimate | None:
    """How much the mean over tasks rose from before to after, in pairs of runs of the same tasks;
    None if the tasks differ. See `estimate`: a task is drawn with what came of it in every pair, so
    that seeds which answer the same questions do not pass for more questions.

    runs: before and after of each pair; by id of the task what came of it, 0 to 1.
    """
    rose: dict[str, list[float]] = {}
    for before, after in runs:
        if before.keys() != after.keys():
            return None
        for id, value in before.items():
            rose.setdefault(id, []).append(after[id] - value)
    return estimate((sum(each), len(each)) for each in rose.values())


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion (Wilson 1927); (0, 1) of nothing."""
    if not total:
        return 0.0, 1.0
    p, z2 = hits / total, _Z * _Z
    middle = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z / (1 + z2 / total) * sqrt(p * (1 - p) / total + z2 / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def paired(
    before: Mapping[str, bool], after: Mapping[str, bool]
) -> tuple[float, float, float] | None:
    """How much the solve rate rose, with its 95 % interval, on the same tasks; None if the tasks
    differ. Score method for paired proportions (Newcombe 1998, Statist. Med. 17:2635, method 10).
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
    """How far two runs solve the same tasks, with Newcombe's correction for continuity."""
    product = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    if not product:
        return 0.0
    n, cross = both + gained + lost + neither, both * neither - gained * lost
    if cross > 0:
        return max(cross - n / 2, 0.0) / sqrt(product)
    return cross / sqrt(product)

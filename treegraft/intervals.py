"""Confidence intervals of proportions."""

from math import sqrt
from statistics import NormalDist


def wilson(hits: float, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion.

    It also holds for the mean of `total` values in [0, 1] whose sum is `hits`: of all such values
    with one mean, those that are 0 or 1 vary most.

    Wilson 1927; Brown, Cai & DasGupta 2001, section 3.1.1.

    Args:
        hits: Number of hits, or the sum of the values.
        total: Number of cases.
        confidence: In (0, 1).

    Returns:
        Low and high, in [0, 1]; (0, 1) of nothing.
    """
    if not total:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate, scale = hits / total, 1 + z * z / total
    middle = (rate + z * z / (2 * total)) / scale
    half = z / scale * sqrt(max(0.0, rate * (1 - rate)) / total + z * z / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)

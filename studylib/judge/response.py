"""What the scores of many conditions say: the needed dose, the worth of overlap, and the best arm. Numbers only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
"""Confidence level of the intervals."""
TIE = 0.005
"""Difference of MS-SSIM below which two arms tie where a single replicate gives no interval. It is about the change
that a second training or other photons make."""


@dataclass(frozen=True)
class Spread:
    """A mean over replicates.

    Attributes
    ----------
    mean
        Mean of the values.
    low, high
        Ends of its Student t interval at 95 %; None for a single replicate.
    number
        Number of replicates.
    """

    mean: float
    low: float | None
    high: float | None
    number: int


def spread(values: Sequence[float]) -> Spread:
    """Return mean and Student t interval of the values of independent replicates.

    Parameters
    ----------
    values
        One value for each replicate. Paired differences give the paired interval.

    Returns
    -------
    `Spread`; without an interval for a single value

    Examples
    --------
    >>> told = spread([0.90, 0.92, 0.94])
    >>> round(told.mean, 3), round(told.low, 3), round(told.high, 3)
    (0.92, 0.87, 0.97)
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return Spread(mean, None, None, len(values))
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * error
    return Spread(mean, mean - half, mean + half, len(values))


def needed(x: Sequence[float], scores: Sequence[float], level: float) -> float | None:
    """Return the first x at which the score reaches a level, interpolated on a logarithmic scale of x.

    Parameters
    ----------
    x
        Doses or fluences, rising.
    scores
        Score at each of them.
    level
        Wanted score.

    Returns
    -------
    x; None if the level is not crossed between the first and the last x, since nothing is extrapolated

    Examples
    --------
    >>> round(needed([1_000, 10_000], [0.7, 0.9], level=0.8))
    3162
    """
    for (x0, s0), (x1, s1) in zip(zip(x, scores, strict=True), list(zip(x, scores, strict=True))[1:], strict=False):
        if s0 < level <= s1:
            share = (level - s0) / (s1 - s0)
            return float(math.exp(math.log(x0) + share * (math.log(x1) - math.log(x0))))
    return None


def at(x: Sequence[float], scores: Sequence[float], wanted: float) -> float | None:
    """Return the score at a fluence between measured ones, interpolated on a logarithmic scale of the fluence.

    Parameters
    ----------
    x
        Fluences, rising.
    scores
        Score at each of them.
    wanted
        Fluence.

    Returns
    -------
    Score; None outside the measured range or with fewer than two fluences

    Examples
    --------
    >>> round(at([1, 100], [0.5, 0.9], wanted=10), 3)
    0.7
    """
    if len(x) < 2 or not min(x) <= wanted <= max(x):
        return None
    return float(np.interp(math.log(wanted), np.log(x), scores))


def winners(scores: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """Return the best arm and the arms that tie with it.

    Parameters
    ----------
    scores
        By arm, one score for each replicate, in the same order; higher is better.

    Returns
    -------
    Names, best first. An arm ties if the paired t interval of the difference between the best and it contains zero;
    with one replicate, if it is less than `TIE` behind

    Examples
    --------
    >>> winners({"MAP": [0.95], "PtyChi": [0.947], "Baseline": [0.80]})
    ('MAP', 'PtyChi')
    """
    if not scores:
        return ()
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    best = max(means, key=lambda name: means[name])
    ties = [best]
    for name in sorted(means, key=lambda name: -means[name]):
        if name == best:
            continue
        # Replicates share object and photons between arms, so that differences are paired.
        gap = spread([a - b for a, b in zip(scores[best], scores[name], strict=True)])
        if (gap.mean < TIE) if gap.low is None else gap.low <= 0:
            ties.append(name)
    return tuple(ties)

"""What the scores of many conditions say: the dose that is needed, what overlap is worth, who wins. Numbers only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
TIE = 0.005
"""Difference of MS-SSIM below which two arms tie where one replicate gives no interval: about what a second training
or other photons change."""


@dataclass(frozen=True)
class Spread:
    """A mean over replicates.

    Attributes
    ----------
    mean
    low, high
        Ends of its Student t interval at 95 %; None of a single replicate.
    number
        Of replicates.
    """

    mean: float
    low: float | None
    high: float | None
    number: int


def spread(values: Sequence[float]) -> Spread:
    """Return mean and t interval of the values of independent replicates; of paired differences the paired interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Spread(mean, None, None, len(values))
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * error
    return Spread(mean, mean - half, mean + half, len(values))


def needed(x: Sequence[float], scores: Sequence[float], level: float) -> float | None:
    """Return the first x at which the score reaches a level, between two measured ones on a logarithmic scale of x.

    Parameters
    ----------
    x
        Doses or fluences, rising.
    scores
        At each of them.
    level
        That is wanted.

    Returns
    -------
    None where the level is not crossed between the first and the last x: what lies outside is not guessed
    """
    for (x0, s0), (x1, s1) in zip(zip(x, scores, strict=True), list(zip(x, scores, strict=True))[1:], strict=False):
        if s0 < level <= s1:
            share = (level - s0) / (s1 - s0)
            return float(math.exp(math.log(x0) + share * (math.log(x1) - math.log(x0))))
    return None


def at(x: Sequence[float], scores: Sequence[float], wanted: float) -> float | None:
    """Return the score at a fluence between measured ones, linear in its logarithm; None outside."""
    if len(x) < 2 or not min(x) <= wanted <= max(x):
        return None
    return float(np.interp(math.log(wanted), np.log(x), scores))


def winners(scores: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """Return the best arm and those that tie with it.

    Parameters
    ----------
    scores
        By arm, of the same replicates in the same order; more is better.

    Returns
    -------
    Best first. An arm ties when the paired t interval of its difference to the best holds zero; of one replicate,
    when it is less than `TIE` behind.
    """
    if not scores:
        return ()
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    best = max(means, key=lambda name: means[name])
    ties = [best]
    for name in sorted(means, key=lambda name: -means[name]):
        if name == best:
            continue
        gap = spread([a - b for a, b in zip(scores[best], scores[name], strict=True)])
        if (gap.mean < TIE) if gap.low is None else gap.low <= 0:
            ties.append(name)
    return tuple(ties)

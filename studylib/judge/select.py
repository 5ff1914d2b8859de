"""Choice of options by counts, never by the truth.

The counts are split into three independent shares. Every candidate is fitted to the first share. The likelihood of the
second share chooses among the candidates. The likelihood of the third share tells how good the chosen one is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.judge.consistency import pattern_losses
from studylib.physics.split import share_of, split_counts
from studylib.scan import Scan

SHARES = (0.8, 0.1, 0.1)
"""Shares of the counts to fit, to choose and to judge."""

Run = Callable[[dict[str, Any], Scan], NDArray[np.complex64]]
"""Function from settings and a scan to an image, (rows, columns) complex64."""
Propose = Callable[[dict[str, Any] | None], list[dict[str, Any]]]
"""Function from the best settings so far, None at first, to the candidates of the next round; an empty list ends the
search."""


@dataclass(frozen=True)
class Tried:
    """One candidate.

    Attributes
    ----------
    settings
        Settings that were tried.
    loss
        Plain Poisson loss of the share that chooses, nats per pattern.
    standard_error
        Standard error of the difference in loss to the best candidate, from the spread over patterns; 0 for the best
        candidate itself.
    seconds
        Wall time of the fit and of its loss, s.
    image : (rows, columns) complex64
        Result of the fit.
    """

    settings: dict[str, Any]
    loss: float
    standard_error: float
    seconds: float
    image: NDArray[np.complex64]


@dataclass(frozen=True)
class Choice:
    """The outcome of a choice.

    Attributes
    ----------
    settings
        Settings that were chosen.
    tried
        All candidates.
    judged
        Plain Poisson loss of the share that judges, nats per pattern.
    """

    settings: dict[str, Any]
    tried: tuple[Tried, ...]
    judged: float


def choose(propose: Propose, run: Run, scan: Scan, seed: int) -> Choice:
    """Choose settings by the likelihood of counts that were not fitted.

    Parameters
    ----------
    propose
        Function that gives the candidates of a round.
    run
        Function that fits a scan with given settings.
    scan
        Scan with all its counts.
    seed
        Seed of the split.

    Returns
    -------
    `Choice`
    """
    fit, choosing, judging = split_counts(scan.counts.astype(np.int64), SHARES, np.random.default_rng(seed))
    part = share_of(scan, fit, SHARES[0], choosing, SHARES[1])
    found: list[tuple[dict[str, Any], NDArray[np.float64], float, NDArray[np.complex64]]] = []
    best: dict[str, Any] | None = None
    # A round may propose settings that were tried before. The search ends when it proposes nothing new.
    while new := [s for s in propose(best) if s not in [f[0] for f in found]]:
        for settings in new:
            start = time.perf_counter()
            image = run(settings, part)
            found.append((settings, pattern_losses(image, part), time.perf_counter() - start, image))
        best = min(found, key=lambda f: f[1].mean())[0]
    least = min((f[1] for f in found), key=lambda losses: losses.mean())
    # Differences of losses pattern by pattern: candidates share the photons, so most of the noise cancels.
    tried = tuple(
        Tried(s, float(loss.mean()), float((loss - least).std(ddof=1) / np.sqrt(len(loss))), seconds, image)
        for s, loss, seconds, image in found
    )
    chosen = min(tried, key=lambda t: t.loss)
    # `held_share` is relative to the counts of `part`, which hold the first share only.
    judge = replace(part, held=judging.astype(np.uint32), held_share=SHARES[2] / SHARES[0])
    return Choice(chosen.settings, tried, float(pattern_losses(chosen.image, judge).mean()))

"""Options chosen by counts, never by truth.

The counts are split into three independent shares: every candidate is fitted to the first, the likelihood of the second
chooses among them, and the likelihood of the third says how well the chosen one does.
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
"""To fit, to choose and to judge."""

Run = Callable[[dict[str, Any], Scan], NDArray[np.complex64]]
"""From settings and a scan to an image."""
Propose = Callable[[dict[str, Any] | None], list[dict[str, Any]]]
"""From the best settings so far, None at first, to the candidates of the next round; none left: an empty list."""


@dataclass(frozen=True)
class Tried:
    """One candidate.

    Attributes
    ----------
    settings
        What was tried.
    loss
        Plain Poisson loss of the share that chooses, nats per pattern.
    standard_error
        Of the difference to the best candidate, from the spread over patterns; 0 for the best itself.
    seconds
        Wall time.
    image : (rows, columns) complex64
        What came out.
    """

    settings: dict[str, Any]
    loss: float
    standard_error: float
    seconds: float
    image: NDArray[np.complex64]


@dataclass(frozen=True)
class Choice:
    """The outcome: the settings chosen, all that was tried, and the loss of the share that judges, nats per pattern."""

    settings: dict[str, Any]
    tried: tuple[Tried, ...]
    judged: float


def choose(propose: Propose, run: Run, scan: Scan, seed: int) -> Choice:
    """Choose settings by the likelihood of counts that were not fitted.

    Parameters
    ----------
    propose
        Gives the candidates, round by round.
    run
        Fits a scan with settings.
    scan
        All counts.
    seed
        Of the split.
    """
    fit, choosing, judging = split_counts(scan.counts.astype(np.int64), SHARES, np.random.default_rng(seed))
    part = share_of(scan, fit, SHARES[0], choosing, SHARES[1])
    found: list[tuple[dict[str, Any], NDArray[np.float64], float, NDArray[np.complex64]]] = []
    best: dict[str, Any] | None = None
    # A round may propose again what was tried; the search ends when it proposes nothing new.
    while new := [s for s in propose(best) if s not in [f[0] for f in found]]:
        for settings in new:
            start = time.perf_counter()
            image = run(settings, part)
            found.append((settings, pattern_losses(image, part), time.perf_counter() - start, image))
        best = min(found, key=lambda f: f[1].mean())[0]
    least = min((f[1] for f in found), key=lambda losses: losses.mean())
    tried = tuple(
        Tried(s, float(loss.mean()), float((loss - least).std(ddof=1) / np.sqrt(len(loss))), seconds, image)
        for s, loss, seconds, image in found
    )
    chosen = min(tried, key=lambda t: t.loss)
    judge = replace(part, held=judging.astype(np.uint32), held_share=SHARES[2] / SHARES[0])
    return Choice(chosen.settings, tried, float(pattern_losses(chosen.image, judge).mean()))

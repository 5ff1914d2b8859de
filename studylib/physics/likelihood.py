"""The Poisson likelihood of counts, for arrays and for the tensors of any framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from studylib.design import BACKGROUND


def poisson_loss(counts, expected, log: Callable[[Any], Any] = np.log):
    """Return the Poisson negative log-likelihood of every pixel, up to a constant.

    lambda - (n + b) log(lambda + b) with the background b: where the model expects no light the
    gradient of the plain likelihood, 1 - n / lambda, has no bound, and a few stray photons outweigh
    the whole bright field. Its minimum is at lambda = n with any b.

    Parameters
    ----------
    counts, expected
        n and lambda, photons, arrays or tensors of one shape.
    log
        The framework's natural logarithm.
    """
    return expected - (counts + BACKGROUND) * log(expected + BACKGROUND)


FLOOR = 1e-4
"""Expected photons per pixel below which the plain loss counts them as this many: about the light that rounding errors
of single precision scatter. A stray photon there costs 9 nats, and not infinitely many."""


def plain_poisson_loss(counts, expected):
    """Return the Poisson negative log-likelihood of every pixel, up to a constant, without a stabilising background.

    It is the score of counts that nothing was fitted to; `poisson_loss` is what is fitted.

    Parameters
    ----------
    counts, expected
        n and lambda, photons, arrays of one shape.
    """
    seen = np.maximum(expected, FLOOR)
    return seen - counts * np.log(seen)

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

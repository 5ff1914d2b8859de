"""The Poisson likelihood of counts, for arrays and for the tensors of any framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.design import BACKGROUND


def poisson_loss(counts: Any, expected: Any, log: Callable[[Any], Any] = np.log) -> Any:
    """Return the Poisson negative log-likelihood of every pixel, up to a constant.

    The loss is lambda - (n + b) log(lambda + b) with the stabilising background b. The gradient of the plain
    likelihood, 1 - n / lambda, has no bound where the model expects no light, and a few stray photons there would
    outweigh the whole bright field. The minimum is at lambda = n for any b.

    Parameters
    ----------
    counts, expected
        Counts n and expected counts lambda, photons: arrays or tensors of one shape.
    log
        The natural logarithm of the framework.

    Returns
    -------
    Array or tensor of the same shape
        Loss of each pixel, nats.

    Examples
    --------
    >>> poisson_loss(np.array([2.0]), np.array([2.0])) < poisson_loss(np.array([2.0]), np.array([3.0]))
    array([ True])
    """
    return expected - (counts + BACKGROUND) * log(expected + BACKGROUND)


FLOOR = 1e-4
"""Least number of expected photons per pixel in `plain_poisson_loss`; smaller values are replaced by it. It is about
the light that rounding errors of single precision scatter. A stray photon where no light is expected then costs 9
nats and not infinitely many."""


def plain_poisson_loss(counts: NDArray, expected: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the Poisson negative log-likelihood of every pixel, up to a constant, without a stabilising background.

    It scores counts to which nothing was fitted. What the arms fit is `poisson_loss`.

    Parameters
    ----------
    counts, expected
        Counts n and expected counts lambda, photons: arrays of one shape.

    Returns
    -------
    Array of the same shape
        Loss of each pixel, nats.

    Examples
    --------
    >>> plain_poisson_loss(np.array([0, 1]), np.array([0.5, 1.0]))
    array([0.5, 1. ])
    """
    seen = np.maximum(expected, FLOOR)
    return seen - counts * np.log(seen)

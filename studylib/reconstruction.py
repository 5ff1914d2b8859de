"""What a reconstruction is, and what it cost."""

from __future__ import annotations

import resource
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Reconstruction:
    """An iterative reconstruction and what it cost.

    Attributes
    ----------
    object : (rows, columns) complex64, in the frame of the positions
    loss : (epochs,) float64, pty-chi's own displayed loss
    seconds
        Wall time of the iterations.
    peak_memory_mib
        Largest resident size of the process so far, MiB.
    """

    object: NDArray[np.complex64]
    loss: NDArray[np.float64]
    seconds: float
    peak_memory_mib: float


def peak_memory_mib() -> float:
    """Return the largest resident size of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

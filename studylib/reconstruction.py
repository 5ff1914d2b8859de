"""What a training and a reconstruction are, and what they cost."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes
    ----------
    network
        With the weights that are kept; it tells how many by `count_params`.
    history
        One row an evaluation: epoch, seconds, learning_rate, loss, val_loss, attempt.
    seconds
        Wall time of all attempts.
    flat_loss
        Held-out loss of the best constant object: what a collapsed network reaches.
    beats_flat
        Whether the held-out loss is below that; a network for which it is not was trained twice, with two seeds.
    gain, gain_error
        Of a network that corrects the image of another arm: by how much it explains held-out counts better than that
        image, nats per pattern, and the standard error; None for the others.
    """

    network: Any
    history: list[dict[str, float]]
    seconds: float
    peak_memory_mib: float
    flat_loss: float
    patterns_per_second: float
    attempts: int
    beats_flat: bool
    gain: float | None = None
    gain_error: float | None = None


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
    note
        What a reader of the result has to know; empty where there is nothing.
    """

    object: NDArray[np.complex64]
    loss: NDArray[np.float64]
    seconds: float
    peak_memory_mib: float
    note: str = ""


def peak_memory_mib() -> float:
    """Return the largest resident size of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

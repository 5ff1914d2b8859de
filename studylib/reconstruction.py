"""The results of a training and of a reconstruction, with what they cost."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.errors import StageError


@dataclass(frozen=True)
class Trained:
    """A trained network and what its training cost.

    Attributes
    ----------
    network
        The network with the weights that are kept; its method `count_params` returns their number.
    history
        One row per evaluation: epoch, seconds, learning_rate, loss, val_loss, attempt.
    seconds
        Wall time of all attempts.
    peak_memory_mib
        Largest resident size of the process so far, MiB.
    flat_loss
        Held-out loss of the best constant object, which a collapsed network reaches.
    patterns_per_second
        Diffraction patterns that the training processed per second.
    attempts
        Number of attempts, each with a seed of its own.
    beats_flat
        Whether the held-out loss is below `flat_loss`. Where it is not, PtychoPINN and the Baseline have been trained
        twice, with two seeds.
    gain, gain_error
        For a network that corrects the image of another arm: how much better it explains held-out counts than that
        image, and the standard error, both in nats per pattern. None for other networks.
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
    """A reconstruction by any arm and what it cost.

    Attributes
    ----------
    object : (rows, columns) complex64
        Reconstructed object in the frame of the positions.
    loss : (epochs or iterations,) float64
        Loss of each epoch or iteration, as the arm defines it; empty where the arm reports none.
    seconds
        Wall time of the reconstruction.
    peak_memory_mib
        Largest resident size of the process so far, MiB.
    note
        Remark for the reader of the result, in words; empty where there is none.
    """

    object: NDArray[np.complex64]
    loss: NDArray[np.float64]
    seconds: float
    peak_memory_mib: float
    note: str = ""


def peak_memory_mib() -> float:
    """Return the largest resident size of this process so far, MiB."""
    # Linux gives KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def check_object(name: str, image: Any, shape: tuple[int, int]) -> None:
    """Refuse what an arm returned if it is no image of its scan.

    Parameters
    ----------
    name
        Name of the arm, for the message.
    image
        What it returned as the object.
    shape
        Rows and columns of the frame of the scan.

    Raises
    ------
    StageError
        It is no complex array of this shape, or it is not finite.
    """
    kind = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    if not isinstance(image, np.ndarray) or image.shape != shape or image.dtype.kind != "c":
        raise StageError(f"{name} returned {kind} as the object, expected complex64 {shape}")
    if not np.isfinite(image).all():
        raise StageError(f"{name} returned an object with NaN or infinity")

"""Checks that every array must pass, whatever the format of the file it came from.

Every check takes a `label`, the name of the array for the error message, and a `remedy`, which tells the user what to
do; without a remedy the message names none or a general one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError

FAINTEST, STRONGEST = 1e-15, 1e15
"""Limits of the largest real or imaginary part of an image. Beyond them, single precision cannot hold its square."""
MOST_COUNTS = 1e15
"""Largest accepted value of a pixel in a diffraction pattern; no detector counts more photons."""
UNPACKED = 1 << 27
"""Bytes in memory that an array in chunks (HDF5, Zarr) may take, however small it is in the file."""
RATIO = 200
"""Largest accepted ratio of an array's size in memory to its size in the file; sparse counts compress that well."""
WIDEST = 100_000
"""Largest accepted distance between two positions, and largest side of an object, in object pixels."""


def image(array: NDArray, label: str, remedy: str = "") -> None:
    """Reject a probe or an object from which no exit wave can be computed.

    Parameters
    ----------
    array : (..., rows, columns) complex
        Probe or object, any scale.
    label
        Name of the array in the error message.
    remedy
        What the user can do.

    Raises
    ------
    InputError
        The array is not complex, is empty, holds NaN, infinity or only zeros, or is outside the range of single
        precision.
    """
    if array.dtype.kind != "c":
        raise InputError(label, str(array.dtype), "a complex array (complex64)", remedy)
    if not array.size:
        raise InputError(label, array.shape, "an image, not empty", remedy)
    if not np.isfinite(array).all():
        raise InputError(label, "NaN or infinity", "finite values only", remedy)
    strongest = float(max(np.abs(array.real).max(), np.abs(array.imag).max()))
    if not strongest:
        raise InputError(label, "zeros only", "some signal", remedy)
    if not FAINTEST < strongest < STRONGEST:
        words = f"a modulus in the range of single precision, {FAINTEST:g} to {STRONGEST:g} at the brightest pixel"
        raise InputError(label, f"at most {strongest:.3g}", words, remedy or "scale it")


def counts(block: NDArray, label: str, remedy: str = "") -> None:
    """Reject values that can be neither photon counts nor square roots of photon counts.

    Parameters
    ----------
    block : (...) real
        Some or all diffraction patterns, or a background; counts or their square roots.
    label
        Name of the array in the error message.
    remedy
        What the user can do.

    Raises
    ------
    InputError
        The values are not real numbers, are NaN, infinite or negative, or exceed `MOST_COUNTS`.
    """
    if block.dtype.kind not in "fiu":
        raise InputError(label, str(block.dtype), "real numbers", remedy)
    if block.dtype.kind == "f" and not np.isfinite(block).all():
        raise InputError(label, "NaN or infinity", "finite numbers", remedy)
    if block.size and block.min() < 0:
        raise InputError(label, float(block.min()), "numbers >= 0", remedy)
    if block.size and block.max() > MOST_COUNTS:
        raise InputError(
            label, float(block.max()), f"counts in the range of a detector, at most {MOST_COUNTS:g}", remedy
        )


def unpacking(label: str, size: int, packed: int, least: int, remedy: str = "") -> None:
    """Reject an array that would take far more memory than it takes in its file.

    Parameters
    ----------
    label
        Name of the array in the error message.
    size
        Bytes in memory.
    packed
        Bytes in the file.
    least
        Bytes in memory that are always allowed.
    remedy
        What the user can do.

    Raises
    ------
    InputError
        `size` exceeds both `least` and `RATIO` times `packed`. The message gives both sizes.
    """
    most = max(least, RATIO * packed)
    if size > most:
        given = f"{size / 2**20:,.0f} MiB of {packed / 2**20:,.1f} MiB in the file"
        raise InputError(label, given, f"at most {most / 2**20:,.0f} MiB", remedy)


def in_words(error: Exception) -> str:
    """Return the type of an error of a library and what it says, in one line of at most 120 characters and the type."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"


def is_number(value: object) -> bool:
    """Return whether a value that was read from JSON is a finite number."""
    # A JSON true or false becomes a bool, and Python counts that as an integer.
    return isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf


def positions(where: NDArray[np.float64], label: str, remedy: str = "") -> None:
    """Reject scan positions that are not finite, or that lie too far apart.

    Parameters
    ----------
    where : (positions, 2) float64
        x (column) and y (row) in object pixels, any origin.
    label
        Name of the array in the error message.
    remedy
        What the user can do.

    Raises
    ------
    InputError
        A position is NaN or infinite, or two positions lie farther apart than `WIDEST` along an axis.
    """
    if not np.isfinite(where).all():
        raise InputError(label, "NaN or infinity", "finite numbers", remedy)
    width = float(np.ptp(where, axis=0).max()) if len(where) else 0.0
    if width > WIDEST:
        # The usual cause is a wrong unit, so the default remedy asks for it.
        words = f"object pixels, at most {WIDEST:,} from one another"
        raise InputError(label, f"{width:.3g} px from one another", words, remedy or "are they metres or nanometres?")


def mask(trusted: NDArray[np.bool_], label: str) -> None:
    """Reject a detector mask without a trusted pixel.

    Parameters
    ----------
    trusted : (rows, columns) bool
        True where a pixel of the detector can be trusted.
    label
        Name of the mask in the error message.

    Raises
    ------
    InputError
        No pixel is trusted.
    """
    if not trusted.any():
        raise InputError(label, "no pixel is trusted", "True where a pixel is good", "invert the mask, or leave it out")

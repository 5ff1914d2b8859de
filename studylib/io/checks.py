"""What an array has to be, whatever the format that it came in."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError

FAINTEST, STRONGEST = 1e-15, 1e15
"""Least and largest modulus of an image at its brightest pixel: beyond them, single precision loses its square."""
MOST_COUNTS = 1e15
"""Counts of a pixel that are no counts."""
RATIO = 200
"""Times that an array may be larger in memory than in its file: sparse counts are, packed."""
WIDEST = 100_000
"""Distance of two positions, object pixels, that no scan has."""


def image(array: NDArray, label: str, remedy: str = "") -> None:
    """Refuse a complex image that no exit wave can be made of.

    Raises
    ------
    InputError
        Not complex; NaN, infinity or zeros only; out of the range of single precision.
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
    """Refuse what cannot be counts, or their square roots.

    Raises
    ------
    InputError
        No real numbers; NaN, infinity, less than 0 or more than any detector counts.
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
    """Refuse what would take far more memory than it takes in its file.

    Parameters
    ----------
    label
        Of what is read.
    size, packed
        Bytes in memory, and in the file.
    least
        Bytes that are always allowed.

    Raises
    ------
    InputError
        With both sizes.
    """
    most = max(least, RATIO * packed)
    if size > most:
        given = f"{size / 2**20:,.0f} MiB of {packed / 2**20:,.1f} MiB in the file"
        raise InputError(label, given, f"at most {most / 2**20:,.0f} MiB", remedy)


def is_number(value: object) -> bool:
    """Return whether a value of JSON is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf


def positions(where: NDArray[np.float64], label: str, remedy: str = "") -> None:
    """Refuse positions (positions, 2), object pixels, that are none.

    Raises
    ------
    InputError
        NaN, infinity, or farther apart than any scan is wide.
    """
    if not np.isfinite(where).all():
        raise InputError(label, "NaN or infinity", "finite numbers", remedy)
    width = float(np.ptp(where, axis=0).max()) if len(where) else 0.0
    if width > WIDEST:
        words = f"object pixels, at most {WIDEST:,} from one another"
        raise InputError(label, f"{width:.3g} px from one another", words, remedy or "are they metres or nanometres?")


def mask(trusted: NDArray[np.bool_], label: str) -> None:
    """Refuse a mask that trusts no pixel."""
    if not trusted.any():
        raise InputError(label, "no pixel is trusted", "True where a pixel is good", "invert the mask, or leave it out")

"""Symmetries of the illumination: what can be mirrored together with the object without changing the experiment.

If a probe P equals its mirror image S P, the object S O gives the pattern S |F(P O)|^2. Then the mirror images of each
measured pattern are as valid as the pattern itself, and a network may train on them. This needs nothing but the probe,
which every arm is given. A probe without any symmetry leaves only the identity.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from studylib.scan import Scan

TOLERANCE = 0.02
"""Largest relative difference ||S P - P|| / ||P|| that counts as a symmetry."""


class Symmetry(NamedTuple):
    """A symmetry of the square about pixel (N/2, N/2): mirrored along x, then along y, then transposed."""

    mirror_x: bool
    mirror_y: bool
    transpose: bool

    def image(self, image: NDArray) -> NDArray:
        """Return the transformed images.

        Pixel 0 has no mirror image about N/2 and stays in its place.

        Parameters
        ----------
        image : (..., N, N)
            Images, N even.

        Returns
        -------
        (..., N, N)
        """
        if self.mirror_x:
            # Reversing takes pixel k to N - 1 - k; rolling by one takes it on to N - k.
            image = np.roll(image[..., ::-1], 1, axis=-1)
        if self.mirror_y:
            image = np.roll(image[..., ::-1, :], 1, axis=-2)
        return np.ascontiguousarray(np.swapaxes(image, -1, -2) if self.transpose else image)

    def offset(self, offset: NDArray) -> NDArray:
        """Return the transformed displacements.

        Parameters
        ----------
        offset : (..., 2)
            x and y of offsets of windows or of fractions of a pixel.

        Returns
        -------
        (..., 2)
            x and y.
        """
        signs = np.array([-1 if self.mirror_x else 1, -1 if self.mirror_y else 1], dtype=offset.dtype)
        offset = offset * signs
        return np.ascontiguousarray(offset[..., ::-1] if self.transpose else offset)


SQUARE = tuple(Symmetry(x, y, t) for t, y, x in product((False, True), repeat=3))
"""All eight symmetries of the square; the identity comes first."""


def probe_symmetries(probe: NDArray[np.complex64], tolerance: float = TOLERANCE) -> tuple[Symmetry, ...]:
    """Return the symmetries that a probe has, the identity first.

    Parameters
    ----------
    probe : (N, N) complex64
        Probe, in any unit.
    tolerance
        Largest relative difference between the probe and its transformed image.

    Returns
    -------
    Tuple of Symmetry
    """
    norm = np.linalg.norm(probe)
    return tuple(s for s in SQUARE if np.linalg.norm(s.image(probe) - probe) <= tolerance * norm)


def symmetries_of(scan: Scan) -> tuple[Symmetry, ...]:
    """Return the symmetries of a scan's probe that the detector's mask and the background share, the identity first.

    Parameters
    ----------
    scan
        Probe, mask and background.

    Returns
    -------
    Tuple of Symmetry
    """
    fixed = [image for image in (scan.mask, scan.background) if image is not None]
    # Mask and background are part of the pattern, so they must not change at all.
    return tuple(s for s in probe_symmetries(scan.probe) if all(np.array_equal(s.image(i), i) for i in fixed))

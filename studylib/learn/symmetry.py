"""Symmetries of the illumination: what turns with the object without changing the experiment.

If a probe P equals its mirror image S P, the object S O gives the pattern S |F(P O)|^2. Each measured
pattern then is as good as the patterns of all its mirror images, and a network may train on them. This
needs nothing but the probe, which every arm is given; a probe without symmetry leaves the identity.
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
    """A symmetry of the square about pixel (N/2, N/2): mirrored along x, along y, then transposed."""

    mirror_x: bool
    mirror_y: bool
    transpose: bool

    def image(self, image: NDArray) -> NDArray:
        """Return the transformed images, (..., N, N), N even.

        Pixel 0 has no mirror image about N/2 and is kept in its place.
        """
        if self.mirror_x:
            image = np.roll(image[..., ::-1], 1, axis=-1)
        if self.mirror_y:
            image = np.roll(image[..., ::-1, :], 1, axis=-2)
        return np.ascontiguousarray(np.swapaxes(image, -1, -2) if self.transpose else image)

    def offset(self, offset: NDArray) -> NDArray:
        """Return the transformed displacements, offsets of windows or fractions of a pixel, (..., 2) as x and y."""
        signs = np.array([-1 if self.mirror_x else 1, -1 if self.mirror_y else 1], dtype=offset.dtype)
        offset = offset * signs
        return np.ascontiguousarray(offset[..., ::-1] if self.transpose else offset)


SQUARE = tuple(Symmetry(x, y, t) for t, y, x in product((False, True), repeat=3))
"""All eight; the identity comes first."""


def probe_symmetries(probe: NDArray[np.complex64], tolerance: float = TOLERANCE) -> tuple[Symmetry, ...]:
    """Return the symmetries that a probe has, the identity first.

    Parameters
    ----------
    probe : (N, N) complex64
    tolerance
        Largest relative difference between the probe and its image.
    """
    norm = np.linalg.norm(probe)
    return tuple(s for s in SQUARE if np.linalg.norm(s.image(probe) - probe) <= tolerance * norm)


def symmetries_of(scan: Scan) -> tuple[Symmetry, ...]:
    """Return the symmetries of a scan's probe that its detector's mask and background have too, the identity first."""
    fixed = [image for image in (scan.mask, scan.background) if image is not None]
    return tuple(s for s in probe_symmetries(scan.probe) if all(np.array_equal(s.image(i), i) for i in fixed))

"""Built-in objects: complex transmission functions by name, computed from a side length and a seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage import color, data, transform
from skimage.draw import disk


class Specimen(NamedTuple):
    """An object and, where its phase spans more than 2 pi, the unwrapped phase.

    Attributes
    ----------
    object : (rows, columns) complex64
        Transmission function.
    phase : (rows, columns) float32
        Unwrapped phase, rad; None where the angle of the object is the phase.
    """

    object: NDArray[np.complex64]
    phase: NDArray[np.float32] | None = None


def dead_leaves(size: int, seed: int, smallest: float = 6.0, largest: float = 24.0) -> NDArray[np.complex64]:
    """Return a dead-leaves object of one material: discs of random thickness that cover one another.

    A thickness t in 0..1 gives the phase t rad and the amplitude 1 - t/4. So the phase spans 0..1 rad and the amplitude
    0.75..1. A Gaussian of one pixel softens the edges. One material of varying thickness is the usual model of a weakly
    absorbing specimen, exp((i delta - beta) k t).

    Parameters
    ----------
    size
        Side of the object, pixels.
    seed
        Seed of the centres, radii and thicknesses.
    smallest, largest
        Bounds of the radii r, pixels. Between them the density of radii falls as r^-3.

    Returns
    -------
    (size, size) complex64

    References
    ----------
    Lee, Mumford, Huang, Occlusion models for natural images, IJCV 41, 35 (2001).
    Paganin et al., Simultaneous phase and amplitude extraction from a single defocused image of a
    homogeneous object, J. Microsc. 206, 33 (2002).
    """
    thickness = _leaves(size, seed, smallest, largest)
    return ((1 - thickness / 4) * np.exp(1j * thickness)).astype(np.complex64)


def _leaves(size: int, seed: int, smallest: float = 6.0, largest: float = 24.0) -> NDArray[np.float64]:
    """Return the thickness of dead leaves, (size, size) float64 in 0..1; parameters as for `dead_leaves`."""
    generator = np.random.default_rng(seed)
    thickness = np.full((size, size), 0.5)
    n_leaves = int(3 * size**2 / 300)
    # Radii with the density p(r) ~ r**-3 between the two bounds, by inversion of the cumulative distribution.
    u = generator.random(n_leaves)
    radii = 1 / np.sqrt(smallest**-2 - u * (smallest**-2 - largest**-2))
    # Centres may lie outside, so that discs cover the rim as densely as the middle.
    centres = generator.uniform(-largest, size + largest, (n_leaves, 2))
    for radius, centre, t in zip(radii, centres, generator.random(n_leaves), strict=True):  # later discs cover earlier
        thickness[disk(tuple(centre), radius, shape=thickness.shape)] = t
    return gaussian_filter(thickness, 1.0)


def two_materials(size: int, seed: int) -> NDArray[np.complex64]:
    """Return dead leaves whose amplitude (0.75..1) and phase (0..1 rad) come from different leaves.

    One material absorbs and another one shifts the phase, so neither channel tells anything about the other.

    Parameters
    ----------
    size
        Side of the object, pixels.
    seed
        Seed of both sets of leaves.

    Returns
    -------
    (size, size) complex64
    """
    # The offset gives the second set a seed that no replicate of the first one uses.
    absorbing, refracting = _leaves(size, seed), _leaves(size, seed + 500_000)
    return ((1 - absorbing / 4) * np.exp(1j * refracting)).astype(np.complex64)


def phase_object(size: int, seed: int) -> NDArray[np.complex64]:
    """Return dead leaves that shift the phase (0..1 rad) and do not absorb: the modulus is 1 everywhere.

    Parameters
    ----------
    size
        Side of the object, pixels.
    seed
        Seed of the leaves.

    Returns
    -------
    (size, size) complex64
    """
    return np.exp(1j * _leaves(size, seed)).astype(np.complex64)


def thick_object(size: int, seed: int) -> Specimen:
    """Return a thick specimen: dead leaves on a smooth hill, phase 0 to about 9 rad, amplitude 1 down to 0.7.

    The leaves make phase steps of up to 2 rad, so that edges stay below pi. The hill makes the phase wrap.

    Parameters
    ----------
    size
        Side of the object, pixels.
    seed
        Seed of the leaves and of the hill.

    Returns
    -------
    Specimen
        Object (size, size) complex64, and its unwrapped phase (size, size) float32, rad.
    """
    # White noise, smoothed over an eighth of the side and stretched to 0..1.
    hill = gaussian_filter(np.random.default_rng([seed, 1]).normal(size=(size, size)), size / 8, mode="wrap")
    hill = (hill - hill.min()) / np.ptp(hill)
    phase = 7.0 * hill + 2.0 * _leaves(size, seed)
    return Specimen(((1 - phase / 30) * np.exp(1j * phase)).astype(np.complex64), phase.astype(np.float32))


PICTURES = ("camera", "coins", "moon", "brick", "grass", "gravel", "cell", "astronaut", "coffee", "rocket")
"""Photographs inside the package scikit-image, each in a file of its name; one that is missing is left out.

Except for the coins (303 px), they are at least 400 px high and wide, so that they keep fine detail when enlarged.
"""


def natural(size: int, seed: int) -> NDArray[np.complex64]:
    """Return an object whose amplitude (0.6..1) and phase (0..1 rad) are two different photographs.

    The seed chooses the two pictures and a square of each, which it turns and mirrors. So two replicates with the same
    pictures still differ. Seed 0 gives the upright middle of scikit-image's camera and coins.

    Parameters
    ----------
    size
        Side of the object, pixels.
    seed
        Seed of the pictures, squares and orientations.

    Returns
    -------
    (size, size) complex64
    """
    generator = np.random.default_rng(seed)
    chosen = ("camera", "coins") if seed == 0 else tuple(generator.permutation(_available())[:2])
    amplitude, phase = (_square(name, size, None if seed == 0 else generator) for name in chosen)
    return ((0.6 + 0.4 * amplitude) * np.exp(1j * phase)).astype(np.complex64)


def _square(name: str, size: int, generator: np.random.Generator | None) -> NDArray[np.float64]:
    """Return a square of a picture, resized to (size, size) float64 in 0..1.

    Parameters
    ----------
    name
        One of `PICTURES`.
    size
        Side of the result, pixels.
    generator
        Source of a random square and orientation; None gives the upright middle of the picture.
    """
    picture = np.asarray(getattr(data, name)(), dtype=np.float64)
    if picture.ndim == 3:  # (rows, columns, colours)
        picture = color.rgb2gray(picture / 255)
    shorter = min(picture.shape)
    side = shorter if generator is None else round(shorter * generator.uniform(0.8, 1))
    spare = np.array(picture.shape) - side
    top, left = spare // 2 if generator is None else generator.integers(spare + 1)
    # A square stays a square, so nothing is stretched. Anti-aliasing is needed only where pixels are merged.
    picture = transform.resize(picture[top : top + side, left : left + side], (size, size), anti_aliasing=size < side)
    # Percentiles instead of extremes, so that a few bright pixels do not set the contrast.
    low, high = np.percentile(picture, [0.5, 99.5])
    picture = np.clip((picture - low) / (high - low), 0, 1)
    if generator is None:
        return picture
    picture = np.rot90(picture, int(generator.integers(4)))
    return picture[:, ::-1] if generator.random() < 0.5 else picture


def _available() -> list[str]:
    """Return the names of the pictures that scikit-image has without a download."""
    folder = Path(data.__file__).parent
    return [name for name in PICTURES if any(folder.glob(f"{name}.*"))]


def siemens(size: int, seed: int) -> NDArray[np.complex64]:
    """Return two Siemens stars of one material, one in the upper and one in the lower half of the object.

    Each has 36 spokes that narrow to less than a pixel. The amplitude is 0.75..1, the phase 0..1 rad. Edges are about
    one pixel wide.

    Parameters
    ----------
    size
        Side of the object, pixels.
    seed
        Seed of the angles by which the stars are turned.

    Returns
    -------
    (size, size) complex64
    """
    generator = np.random.default_rng(seed)
    rows, columns = np.indices((size, size)).astype(np.float64)
    thickness = np.zeros((size, size))
    for centre in ((0.27 * size, 0.47 * size), (0.73 * size, 0.53 * size)):
        y, x = rows - centre[0], columns - centre[1]
        angle = np.arctan2(y, x) + generator.uniform(0, 2 * np.pi)
        # The sine is clipped, so that an edge is as steep at every radius; near the centre the contrast fades.
        spokes = np.clip(0.5 + np.sin(36 * angle) * np.hypot(x, y) / 36, 0, 1)
        # A star covers the rows of its half and some more; where the two meet, the second one is kept.
        nearer = np.abs(rows - centre[0]) <= size / 4 + 0.02 * size
        thickness = np.where(nearer, spokes, thickness)
    thickness = gaussian_filter(thickness, 0.7)
    return ((1 - thickness / 4) * np.exp(1j * thickness)).astype(np.complex64)


OBJECTS: dict[str, Callable[[int, int], NDArray[np.complex64] | Specimen]] = {
    "leaves": dead_leaves,
    "two-materials": two_materials,
    "phase": phase_object,
    "thick": thick_object,
    "natural": natural,
    "siemens": siemens,
}
"""Objects by name: functions of side and seed that return (side, side) complex64, or a Specimen with its phase."""


def specimen(name: str, size: int, seed: int) -> Specimen:
    """Return a built-in object, with its unwrapped phase where the phase spans more than 2 pi.

    Parameters
    ----------
    name
        Key of `OBJECTS`.
    size
        Side of the object, pixels.
    seed
        Seed of the object.

    Returns
    -------
    Specimen
        Object (size, size) complex64; phase (size, size) float32 in rad, or None.
    """
    made = OBJECTS[name](size, seed)
    return made if isinstance(made, Specimen) else Specimen(made)

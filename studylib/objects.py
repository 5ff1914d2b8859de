"""Built-in objects: transmission functions by name, from a side and a seed."""

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
    phase : (rows, columns) float32, rad
    """

    object: NDArray[np.complex64]
    phase: NDArray[np.float32] | None = None


def dead_leaves(size: int, seed: int, smallest: float = 6.0, largest: float = 24.0) -> NDArray[np.complex64]:
    """Return a dead-leaves object of one material: discs of random thickness that cover one another.

    A thickness t in 0..1 gives the phase t rad and the amplitude 1 - t/4, so the phase spans 0..1 rad
    and the amplitude 0.75..1; edges are softened by one pixel. One material of varying thickness is
    the usual model of a weakly absorbing specimen (exp((i delta - beta) k t)).

    Parameters
    ----------
    size
        Side, pixels.
    seed
        Of centres, radii and thicknesses.
    smallest, largest
        Bounds of the radii, pixels; between them their density falls with the third power.

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
    """Return the thickness of dead leaves, (size, size) in 0..1."""
    generator = np.random.default_rng(seed)
    thickness = np.full((size, size), 0.5)
    n_leaves = int(3 * size**2 / 300)
    # p(r) ~ r**-3 between the two radii, by inversion.
    u = generator.random(n_leaves)
    radii = 1 / np.sqrt(smallest**-2 - u * (smallest**-2 - largest**-2))
    centres = generator.uniform(-largest, size + largest, (n_leaves, 2))
    for radius, centre, t in zip(radii, centres, generator.random(n_leaves), strict=True):
        thickness[disk(tuple(centre), radius, shape=thickness.shape)] = t
    return gaussian_filter(thickness, 1.0)


def two_materials(size: int, seed: int) -> NDArray[np.complex64]:
    """Return dead leaves whose amplitude (0.75..1) and phase (0..1 rad) are of different leaves.

    One material that absorbs and one that shifts the phase: neither channel tells anything about the other.
    """
    absorbing, refracting = _leaves(size, seed), _leaves(size, seed + 500_000)
    return ((1 - absorbing / 4) * np.exp(1j * refracting)).astype(np.complex64)


def phase_object(size: int, seed: int) -> NDArray[np.complex64]:
    """Return dead leaves that shift the phase (0..1 rad) and do not absorb: the modulus is 1 everywhere."""
    return np.exp(1j * _leaves(size, seed)).astype(np.complex64)


def thick_object(size: int, seed: int) -> Specimen:
    """Return dead leaves on a smooth hill, phase 0 to about 9 rad, amplitude down to 0.7: a thick specimen.

    The leaves make steps of up to 2 rad, so that edges stay below pi; the hill makes the phase wrap.
    """
    hill = gaussian_filter(np.random.default_rng([seed, 1]).normal(size=(size, size)), size / 8, mode="wrap")
    hill = (hill - hill.min()) / np.ptp(hill)
    phase = 7.0 * hill + 2.0 * _leaves(size, seed)
    return Specimen(((1 - phase / 30) * np.exp(1j * phase)).astype(np.complex64), phase.astype(np.float32))


PICTURES = ("camera", "coins", "moon", "brick", "grass", "gravel", "cell", "astronaut", "coffee", "rocket")
"""Photographs that come inside scikit-image's package, each in a file of its name; a missing one is passed over.

But for the coins (303 px) they are at least 400 px high and wide, so that enlarging them leaves fine detail.
"""


def natural(size: int, seed: int) -> NDArray[np.complex64]:
    """Return an object whose amplitude (0.6..1) and phase (0..1 rad) are two different photographs.

    The seed chooses the pictures, and of each a square, which it turns and mirrors: two replicates with the same
    pictures still differ. Seed 0 gives the middle of scikit-image's camera and coins, upright.

    Parameters
    ----------
    size
        Side, pixels.
    seed
        Of pictures, squares and orientations.

    Returns
    -------
    (size, size) complex64
    """
    generator = np.random.default_rng(seed)
    chosen = ("camera", "coins") if seed == 0 else tuple(generator.permutation(_available())[:2])
    amplitude, phase = (_square(name, size, None if seed == 0 else generator) for name in chosen)
    return ((0.6 + 0.4 * amplitude) * np.exp(1j * phase)).astype(np.complex64)


def _square(name: str, size: int, generator: np.random.Generator | None) -> NDArray[np.float64]:
    """Return a square of a picture in 0..1, resized to (size, size): by chance, or the middle without a generator."""
    picture = np.asarray(getattr(data, name)(), dtype=np.float64)
    if picture.ndim == 3:
        picture = color.rgb2gray(picture / 255)
    shorter = min(picture.shape)
    side = shorter if generator is None else round(shorter * generator.uniform(0.8, 1))
    spare = np.array(picture.shape) - side
    top, left = spare // 2 if generator is None else generator.integers(spare + 1)
    # A square, so that nothing is stretched.
    picture = transform.resize(picture[top : top + side, left : left + side], (size, size), anti_aliasing=size < side)
    low, high = np.percentile(picture, [0.5, 99.5])
    picture = np.clip((picture - low) / (high - low), 0, 1)
    if generator is None:
        return picture
    picture = np.rot90(picture, int(generator.integers(4)))
    return picture[:, ::-1] if generator.random() < 0.5 else picture


def _available() -> list[str]:
    """Return the pictures that scikit-image can give without a download."""
    folder = Path(data.__file__).parent
    return [name for name in PICTURES if any(folder.glob(f"{name}.*"))]


def siemens(size: int, seed: int) -> NDArray[np.complex64]:
    """Return Siemens stars of one material: 36 spokes that narrow to less than a pixel, one star in each half.

    The seed turns the stars. Edges are softened by a pixel.
    """
    generator = np.random.default_rng(seed)
    rows, columns = np.indices((size, size)).astype(np.float64)
    thickness = np.zeros((size, size))
    for centre in ((0.27 * size, 0.47 * size), (0.73 * size, 0.53 * size)):
        y, x = rows - centre[0], columns - centre[1]
        angle = np.arctan2(y, x) + generator.uniform(0, 2 * np.pi)
        spokes = np.clip(0.5 + np.sin(36 * angle) * np.hypot(x, y) / 36, 0, 1)
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
"""Objects by name: from side and seed to (side, side) complex64, or to a Specimen with its unwrapped phase."""


def specimen(name: str, size: int, seed: int) -> Specimen:
    """Return an object of the registry, with its unwrapped phase where it has one."""
    made = OBJECTS[name](size, seed)
    return made if isinstance(made, Specimen) else Specimen(made)

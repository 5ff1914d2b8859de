"""Built-in objects: transmission functions by name, from a side and a seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage import data, transform
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


PICTURES = ("camera", "coins", "moon", "page", "text", "clock", "brick", "grass", "gravel", "cell")
"""Pictures that come with scikit-image's package itself; those that are missing are passed over."""


def natural(size: int, seed: int) -> NDArray[np.complex64]:
    """Return an object whose amplitude (0.6..1) and phase (0..1 rad) are two different photographs.

    Seed 0 gives scikit-image's camera and coins; other seeds other pictures, turned.
    """
    generator = np.random.default_rng(seed)
    chosen = ("camera", "coins") if seed == 0 else tuple(generator.permutation(_available())[:2])
    pictures = []
    for name in chosen:
        picture = np.asarray(getattr(data, name)(), dtype=np.float64)
        picture = transform.resize(picture, (size, size), anti_aliasing=True)
        low, high = np.percentile(picture, [0.5, 99.5])
        picture = np.clip((picture - low) / (high - low), 0, 1)
        pictures.append(picture if seed == 0 else np.rot90(picture, int(generator.integers(4))))
    return ((0.6 + 0.4 * pictures[0]) * np.exp(1j * pictures[1])).astype(np.complex64)


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

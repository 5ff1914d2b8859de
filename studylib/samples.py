"""The sample: a seeded dead-leaves object and a zone-plate probe, or a base NPZ of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.draw import disk

from studylib.design import SampleSettings, Seeds
from studylib.errors import InputError
from studylib.io.npz import read_members


@dataclass(frozen=True)
class Sample:
    """What is measured: an object, a probe, and where the scan goes.

    Attributes
    ----------
    object : (rows, columns) complex64
        Transmission function.
    probe : (N, N) complex64
        Illumination, any scale: the dose sets it.
    name
        Where the two come from, without a folder.
    """

    object: NDArray[np.complex64]
    probe: NDArray[np.complex64]
    name: str


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
    generator = np.random.default_rng(seed)
    thickness = np.full((size, size), 0.5)
    n_leaves = int(3 * size**2 / 300)
    # p(r) ~ r**-3 between the two radii, by inversion.
    u = generator.random(n_leaves)
    radii = 1 / np.sqrt(smallest**-2 - u * (smallest**-2 - largest**-2))
    centres = generator.uniform(-largest, size + largest, (n_leaves, 2))
    for radius, centre, t in zip(radii, centres, generator.random(n_leaves), strict=True):
        thickness[disk(tuple(centre), radius, shape=thickness.shape)] = t
    thickness = gaussian_filter(thickness, 1.0)
    return ((1 - thickness / 4) * np.exp(1j * thickness)).astype(np.complex64)


def zone_plate_probe(
    n_pixels: int, radius: float = 0.42, defocus: float = 11.2, stop: float = 0.4
) -> NDArray[np.complex64]:
    """Return the defocused focus of a Fresnel zone plate with a central stop.

    Parameters
    ----------
    n_pixels
        N, the side of the probe array.
    radius
        Radius of the pupil, as a fraction of the detector's half width.
    defocus
        Quadratic phase at the rim of the pupil, rad, at N = 64; grows with N.
    stop
        Radius of the central stop, as a fraction of the pupil's.

    Returns
    -------
    (N, N) complex64, sum of squared moduli 1
    """
    axis = (np.arange(n_pixels) - n_pixels / 2) / (n_pixels / 2)
    r = np.hypot(axis[:, None], axis[None, :]) / radius
    soft = 2.0 / (n_pixels / 2) / radius
    pupil = _soft_step(1 - r, soft) * _soft_step(r - stop, soft)
    wave = pupil * np.exp(1j * defocus * n_pixels / 64 * r**2)
    probe = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(wave)))
    return (probe / np.linalg.norm(probe)).astype(np.complex64)


def _soft_step(x: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    return 0.5 * (1 + np.tanh(2 * x / width))


def probe_diameter(probe: NDArray[np.complex64], share: float = 0.9) -> float:
    """Return the diameter, pixels, of the disc about the centroid that holds `share` of |P|^2."""
    intensity = np.abs(probe) ** 2
    rows, columns = np.indices(intensity.shape)
    total = intensity.sum()
    row, column = (rows * intensity).sum() / total, (columns * intensity).sum() / total
    distance = np.hypot(rows - row, columns - column).ravel()
    order = np.argsort(distance, kind="stable")
    held = np.cumsum(intensity.ravel()[order])
    return float(2 * distance[order][np.searchsorted(held, share * held[-1])])


def built_in(settings: SampleSettings, seeds: Seeds) -> Sample:
    """Return the built-in sample."""
    return Sample(
        object=dead_leaves(settings.object_size, seeds.sample),
        probe=zone_plate_probe(settings.n_pixels),
        name="built-in dead leaves and zone plate",
    )


def load_base(path: str | Path) -> Sample:
    """Read object and probe from a base NPZ.

    Parameters
    ----------
    path
        NPZ with `probeGuess` (N, N) and `objectGuess` (rows, columns), both complex; other members
        are not read.

    Raises
    ------
    InputError
        No such file, a member missing, pickled, of the wrong type or shape, not finite or empty.
    """
    remedy = "save it with numpy.savez(path, probeGuess=..., objectGuess=...) as complex64"
    members = read_members(path, ("probeGuess", "objectGuess"), remedy)
    for name, array in members.items():
        label = f"{name} in {Path(path).name}"
        if array.dtype.kind != "c":
            raise InputError(label, str(array.dtype), "a complex array (complex64)", remedy)
        if array.ndim != 2:
            raise InputError(label, array.shape, "two dimensions (rows, columns)", remedy)
        if not np.isfinite(array).all():
            raise InputError(label, "NaN or infinity", "finite values only", remedy)
        if not np.abs(array).any():
            raise InputError(label, "zeros only", "some signal", remedy)
    probe, image = members["probeGuess"], members["objectGuess"]
    n_pixels = probe.shape[0]
    if probe.shape[0] != probe.shape[1] or n_pixels % 16 or n_pixels < 32:
        raise InputError("probeGuess", probe.shape, "a square array, its side a multiple of 16 from 32 up", remedy)
    # Two halves, a guard band of one window, and windows that stay inside.
    least = 3 * n_pixels
    if min(image.shape) < least:
        raise InputError("objectGuess", image.shape, f"at least {least} px each way", remedy)
    return Sample(image.astype(np.complex64), probe.astype(np.complex64), Path(path).name)

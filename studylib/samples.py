"""The sample of a simulated experiment: a built-in object and probe by name, or both from a base NPZ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studylib.design import LEAST_SIDE, SIDE_STEP, SampleSettings, Seeds, check_probe, check_sample
from studylib.errors import InputError
from studylib.io import checks
from studylib.io.npz import read_members
from studylib.objects import dead_leaves, specimen
from studylib.probes import PROBES, probe_diameter, refuse_wrapping, zone_plate_probe

__all__ = ["Sample", "built_in", "dead_leaves", "load_base", "probe_diameter", "zone_plate_probe"]

LEAST_CONTRAST = 1e-3
"""Smallest accepted contrast ||O - mean O|| / ||O|| of a base object.

It is about a twentieth of the error bound of the best condition (100,000 photons per pattern, dense).
"""


@dataclass(frozen=True)
class Sample:
    """What a simulated experiment measures: an object and a probe.

    Attributes
    ----------
    object : (rows, columns) complex64
        Transmission function.
    probe : (N, N) complex64
        Illumination, any scale; the dose sets its scale later.
    name
        Source of the two, for reports; of a file the name without its folder.
    sample, probe_kind
        Names of object and probe; "base" for a base NPZ. Options that were chosen by counts are stored under them.
    phase : (rows, columns) float32
        True unwrapped phase, rad, where it spans more than 2 pi; otherwise None.
    """

    object: NDArray[np.complex64]
    probe: NDArray[np.complex64]
    name: str
    sample: str = "base"
    probe_kind: str = "base"
    phase: NDArray[np.float32] | None = None


def built_in(settings: SampleSettings, seeds: Seeds, sample: str = "leaves", probe: str = "zone-plate") -> Sample:
    """Return a built-in sample.

    Parameters
    ----------
    settings
        Side of the object, and N, the side of the probe.
    seeds
        The seed named `sample` is used for both object and probe.
    sample, probe
        Names of the object and of the probe.

    Returns
    -------
    Sample

    Raises
    ------
    InputError
        A name is not known, or the probe wraps round its window.
    """
    sample, probe = check_sample(sample), check_probe(probe)
    made, phase = specimen(sample, settings.object_size, seeds.sample)
    light = PROBES[probe](settings.n_pixels, seeds.sample)
    refuse_wrapping(light, f"probe {probe}")
    return Sample(made, light, f"built-in {sample} and {probe}", sample, probe, phase)


def load_base(path: str | Path) -> Sample:
    """Read object and probe from a base NPZ.

    Parameters
    ----------
    path
        NPZ with `probeGuess` (N, N) and `objectGuess` (rows, columns), both complex; other members are not read.

    Returns
    -------
    Sample
        Both arrays as complex64.

    Raises
    ------
    InputError
        There is no such file; a member is missing, pickled, of the wrong type or shape, not finite or empty; the probe
        wraps round its window; or the object is too small for two halves, or one of its halves is constant.
    """
    remedy = "save it with numpy.savez(path, probeGuess=..., objectGuess=...) as complex64"
    members = read_members(path, ("probeGuess", "objectGuess"), remedy)
    for name, array in members.items():
        label = f"{name} in {Path(path).name}"
        checks.image(array, label, remedy)
        if array.ndim != 2:
            raise InputError(label, array.shape, "two dimensions (rows, columns)", remedy)
    probe, image = members["probeGuess"], members["objectGuess"]
    n_pixels = probe.shape[0]
    if probe.shape[0] != probe.shape[1] or n_pixels % SIDE_STEP or n_pixels < LEAST_SIDE:
        raise InputError("probeGuess", probe.shape, "a square array, its side a multiple of 16 from 32 up", remedy)
    refuse_wrapping(probe, f"probeGuess in {Path(path).name}")
    _check_object(image, n_pixels)
    return Sample(image.astype(np.complex64), probe.astype(np.complex64), Path(path).name)


def _check_object(image: NDArray[np.complexfloating], n_pixels: int) -> None:
    """Reject an object that is too small for the scan, or that has nothing to reconstruct.

    Parameters
    ----------
    image : (rows, columns) complex
        The object.
    n_pixels
        N, the side of a window.

    Raises
    ------
    InputError
        A side is shorter than three windows, or the whole object or one of its halves has too little contrast.
    """
    # The rows hold two halves and a guard band of one window between them, and every window stays inside.
    least = 3 * n_pixels
    if min(image.shape) < least:
        raise InputError(
            "objectGuess", image.shape, f"at least {least} px each way", "give a larger object or a smaller N"
        )
    wide = image.astype(np.complex128)  # rounding in single precision could hide a small contrast
    # Networks are trained on the upper half and tested on the lower half, so each half needs contrast of its own.
    middle = len(wide) // 2
    for name, part in (("object", wide), ("upper half", wide[:middle]), ("lower half", wide[middle:])):
        norm = float(np.linalg.norm(part))
        contrast = float(np.linalg.norm(part - part.mean())) / norm if norm else 0.0
        if contrast < LEAST_CONTRAST:
            raise InputError(
                "objectGuess", f"a constant {name} (relative contrast {contrast:.1e})",
                f"an object with contrast in either half, at least {LEAST_CONTRAST:.0e} of its norm",
                "save the object itself, not a start for a reconstruction: a constant one has nothing to score",
            )  # fmt: skip

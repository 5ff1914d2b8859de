"""The sample: a built-in object and probe by name, or both from a base NPZ."""

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
"""Smallest ||O - mean O|| / ||O|| of a base: about a twentieth of the error bound of the best condition (1e5 dense)."""


@dataclass(frozen=True)
class Sample:
    """What is measured: an object and a probe.

    Attributes
    ----------
    object : (rows, columns) complex64
        Transmission function.
    probe : (N, N) complex64
        Illumination, any scale: the dose sets it.
    name
        Where the two come from, without a folder.
    sample, probe_kind
        Names of object and probe, by which options that were chosen by counts are looked up; "base" for a base NPZ.
    phase : (rows, columns) float32
        True phase, rad, unwrapped, where it spans more than 2 pi.
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
        Side of the object and N.
    seeds
        The seed of the sample makes object and probe.
    sample, probe
        Names of the object and of the probe.

    Raises
    ------
    InputError
        A name is not known.
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
        NPZ with `probeGuess` (N, N) and `objectGuess` (rows, columns), both complex; other members
        are not read.

    Raises
    ------
    InputError
        No such file, a member missing, pickled, of the wrong type or shape, not finite or empty; a probe that wraps
        round its window; an object that is too small for two halves, or constant.
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
    """Refuse an object that is too small for the scan, or that has nothing to reconstruct."""
    # Two halves, a guard band of one window, and windows that stay inside.
    least = 3 * n_pixels
    if min(image.shape) < least:
        raise InputError(
            "objectGuess", image.shape, f"at least {least} px each way", "give a larger object or a smaller N"
        )
    wide = image.astype(np.complex128)
    # Positions of the upper rows are trained on, those of the lower ones are tested on.
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

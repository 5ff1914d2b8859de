"""The sample: a built-in object and probe by name, or both from a base NPZ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studylib.design import SampleSettings, Seeds, check_probe, check_sample
from studylib.errors import InputError
from studylib.io.npz import read_members
from studylib.objects import dead_leaves, specimen
from studylib.probes import PROBES, probe_diameter, refuse_wrapping, zone_plate_probe

__all__ = ["Sample", "built_in", "dead_leaves", "load_base", "probe_diameter", "zone_plate_probe"]


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
        if np.ptp(np.abs(array)) == 0 and np.ptp(np.angle(array)) == 0 and np.abs(array).any():
            raise InputError(label, "the same value everywhere", "an array with contrast", remedy)
        if not np.abs(array).any():
            raise InputError(label, "zeros only", "some signal", remedy)
    probe, image = members["probeGuess"], members["objectGuess"]
    n_pixels = probe.shape[0]
    if probe.shape[0] != probe.shape[1] or n_pixels % 16 or n_pixels < 32:
        raise InputError("probeGuess", probe.shape, "a square array, its side a multiple of 16 from 32 up", remedy)
    refuse_wrapping(probe, f"probeGuess in {Path(path).name}")
    # Two halves, a guard band of one window, and windows that stay inside.
    least = 3 * n_pixels
    if min(image.shape) < least:
        raise InputError("objectGuess", image.shape, f"at least {least} px each way", remedy)
    return Sample(image.astype(np.complex64), probe.astype(np.complex64), Path(path).name)

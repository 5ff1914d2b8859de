"""From a trained network to an object: patch by patch, then stitched on the absolute canvas."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from studylib.design import GroupingSettings
from studylib.errors import InputError, StageError
from studylib.io.files import write_with
from studylib.learn import networks
from studylib.learn.batches import group_batch
from studylib.learn.layers import Diffraction, MovedProbes, Overlap
from studylib.learn.recorded import Recorded
from studylib.physics.grouping import group, offsets
from studylib.physics.stitch import neighbouring_blocks, stitch
from studylib.physics.windows import extract
from studylib.scan import Scan

BLOCK = 2**24
"""Pixels of the patches that are in memory together: 4,096 positions of 64 x 64."""


def predict(
    network: keras.Model,
    scan: Scan,
    grouping: GroupingSettings,
    seed: int,
    part: NDArray[np.intp] | None = None,
    batch: int = 128,
) -> NDArray[np.complex64]:
    """Return the object patches of some positions, (positions, N, N) complex64; the same whatever the batch.

    PtychoPINN sees each position once as the anchor of a group and, by chance, in groups of others: its
    patch is the mean of them.

    Parameters
    ----------
    grouping, seed
        How groups are drawn; the Baseline sees single patterns.
    part
        Indices of the positions; all when None.
    batch
        Patterns at a time.

    Raises
    ------
    StageError
        The network was trained at another dose: its input scale is not the scan's; or for another C.
    """
    scale, c = networks.pattern_scale(network), networks.group_size(network)
    if not np.isclose(scale, scan.scale, rtol=1e-5):
        raise StageError(f"network was trained at intensity scale {scale:.6g}, the data set has {scan.scale:.6g}")
    if c not in (0, grouping.group_size):
        raise StageError(f"network was trained for groups of C={c}, the design has C={grouping.group_size}")
    part = np.arange(len(scan.positions)) if part is None else part
    row = np.full(len(scan.positions), -1)
    row[part] = np.arange(len(part))
    groups = group(scan.positions, grouping, seed) if c else np.arange(len(scan.positions))[:, None]
    groups = groups[(row[groups] >= 0).any(axis=1)]
    total = np.zeros((len(part), scan.n_pixels, scan.n_pixels), dtype=np.complex64)
    size, recorded = max(1, batch // max(c, 1)), Recorded(network)
    for start in range(0, len(groups), size):
        members = groups[start : start + size]
        inputs, _ = group_batch(scan, members)
        amplitude, phase = recorded.predict_on_batch(list(inputs) if c else inputs[0][:, 0])
        amplitude, phase = (np.asarray(part).reshape(-1, *total.shape[1:]) for part in (amplitude, phase))
        patches = np.empty(amplitude.shape, dtype=np.complex64)
        patches.real, patches.imag = amplitude * np.cos(phase), amplitude * np.sin(phase)
        for place, patch in zip(row[members.ravel()], patches, strict=True):
            if place >= 0:
                total[place] += patch
    appearances = np.bincount(row[groups][row[groups] >= 0], minlength=len(part))
    total /= appearances[:, None, None].astype(np.float32)
    if not np.isfinite(total).all():
        raise StageError("the network's patches hold NaN or infinity")
    return total


def reconstruct(network: keras.Model, scan: Scan, grouping: GroupingSettings, seed: int) -> NDArray[np.complex64]:
    """Return the object, (rows, columns) complex64 in the frame of the positions.

    The Baseline learned the true phase of its patches. PtychoPINN could not: a pattern says nothing of
    the phase common to its patch, so the patches are turned to agree where they overlap.
    """
    parts = neighbouring_blocks(scan.positions, max(1, BLOCK // scan.n_pixels**2))
    blocks = ((predict(network, scan, grouping, seed, part), scan.positions[part]) for part in parts)
    return stitch(blocks, scan.probe, scan.shape, agree=networks.group_size(network) > 0)


def save_network(network: keras.Model, path: Path) -> Path:
    """Write a .keras file, whole or not at all, and refuse one that does not give the same output."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "model.keras"
        network.save(temporary)
        again = keras.saving.load_model(temporary, compile=False)
        sample = [np.ones((1, *i.shape[1:]), dtype=np.float32) for i in network.inputs]
        for a, b in zip(network.predict_on_batch(sample), again.predict_on_batch(sample), strict=True):
            if not np.allclose(a, b, atol=1e-5):
                raise StageError("the saved network gives another output than the trained one")
        return write_with(path, lambda file: file.write(temporary.read_bytes()))


def load_network(path: Path, remedy: str) -> keras.Model:
    """Read a network.

    Raises
    ------
    InputError
        Absent or not a Keras file.
    """
    if not path.is_file():
        raise InputError("model", path.name, "a trained network", remedy)
    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, OSError) as error:
        raise InputError("model", path.name, f"a readable Keras file ({error})", remedy) from error


def expected(image: NDArray[np.complex64], scan: Scan, batch: int = 256) -> NDArray[np.float32]:
    """Return the patterns that PtychoPINN's physics layers expect of the windows of an object.

    Parameters
    ----------
    image : (rows, columns) complex64
    scan
        Probe, positions and background.
    batch
        Positions at a time.

    Returns
    -------
    (positions, N, N) float32, photons, zero frequency in the centre
    """
    moved, overlap = MovedProbes(scan.probe), Overlap(scan.probe)
    detector = Diffraction(scan.probe, background=scan.background)
    patches = extract(image, scan.positions, scan.n_pixels)
    parts = []
    for start in range(0, len(patches), batch):
        groups = np.arange(start, min(start + batch, len(patches)))[:, None]
        places, fractions = offsets(scan.positions, groups)
        probes = moved(keras.ops.convert_to_tensor(fractions))[:2]
        where = overlap(keras.ops.convert_to_tensor(places), *probes)
        some = patches[groups]
        amplitude, phase = (keras.ops.convert_to_tensor(a) for a in (np.abs(some), np.angle(some)))
        parts.append(keras.ops.convert_to_numpy(detector(amplitude, phase, *probes, *where))[:, 0])
    return np.concatenate(parts)

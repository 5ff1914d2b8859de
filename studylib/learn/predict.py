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
"""Pixels of the patches that are in memory together: 4,096 positions of 64 x 64 pixels."""


def predict(
    network: keras.Model,
    scan: Scan,
    grouping: GroupingSettings,
    seed: int,
    part: NDArray[np.intp] | None = None,
    batch: int = 128,
) -> NDArray[np.complex64]:
    """Return the object patches of some positions; they do not depend on the size of the batches.

    PtychoPINN sees each position once as the anchor of a group and, by chance, in the groups of other positions. Its
    patch is the mean over all of them.

    Parameters
    ----------
    network
        PtychoPINN or Baseline.
    scan
        Counts, positions, mask and background.
    grouping
        g and K of the groups; not used by the Baseline, which sees single patterns.
    seed
        Seed of the groups.
    part : (some,) int
        Indices of the positions; all positions when None.
    batch
        Number of patterns that are computed together.

    Returns
    -------
    (some, N, N) complex64
        Object patches in the frames of the windows.

    Raises
    ------
    StageError
        The network was trained at another dose (its input scale is not that of the scan) or for another C, or its
        patches are not finite.
    """
    scale, c = networks.pattern_scale(network), networks.group_size(network)
    if not np.isclose(scale, scan.scale, rtol=1e-5):
        raise StageError(f"network was trained at intensity scale {scale:.6g}, the data set has {scan.scale:.6g}")
    if c not in (0, grouping.group_size):
        raise StageError(f"network was trained for groups of C={c}, the design has C={grouping.group_size}")
    part = np.arange(len(scan.positions)) if part is None else part
    # Row of each position in the result, -1 for positions that are not wanted.
    row = np.full(len(scan.positions), -1)
    row[part] = np.arange(len(part))
    groups = group(scan.positions, grouping, seed) if c else np.arange(len(scan.positions))[:, None]
    # Only groups with a wanted member are computed.
    groups = groups[(row[groups] >= 0).any(axis=1)]
    total = np.zeros((len(part), scan.n_pixels, scan.n_pixels), dtype=np.complex64)
    size, recorded = max(1, batch // max(c, 1)), Recorded(network)
    for start in range(0, len(groups), size):
        members = groups[start : start + size]
        inputs, _ = group_batch(scan, members)
        # The Baseline has no axis for the members of a group.
        amplitude, phase = recorded.predict_on_batch(list(inputs) if c else inputs[0][:, 0])
        amplitude, phase = (np.asarray(part).reshape(-1, *total.shape[1:]) for part in (amplitude, phase))
        patches = np.empty(amplitude.shape, dtype=np.complex64)
        patches.real, patches.imag = amplitude * np.cos(phase), amplitude * np.sin(phase)
        # (group * member, N, N), one by one: a position may be in several groups of a batch.
        for place, patch in zip(row[members.ravel()], patches, strict=True):
            if place >= 0:
                total[place] += patch
    appearances = np.bincount(row[groups][row[groups] >= 0], minlength=len(part))
    total /= appearances[:, None, None].astype(np.float32)
    if not np.isfinite(total).all():
        raise StageError("the network's patches hold NaN or infinity")
    return total


def reconstruct(network: keras.Model, scan: Scan, grouping: GroupingSettings, seed: int) -> NDArray[np.complex64]:
    """Return the object that a network makes of a scan.

    The Baseline learned the true phase of its patches. PtychoPINN could not: a pattern holds no information on the
    common phase of its patch. So phase synchronisation gives its patches one common phase where they overlap.

    Parameters
    ----------
    network
        PtychoPINN or Baseline, trained at the intensity scale of the scan.
    scan
        Counts, probe, positions, mask and background.
    grouping
        g and K of the groups; not used by the Baseline.
    seed
        Seed of the groups.

    Returns
    -------
    (rows, columns) complex64
        The object in the frame of the positions; zero where no light fell.

    Raises
    ------
    StageError
        The network does not fit the scan, or its patches are not finite (`predict`).
    """
    # Neighbours are in one block, so that its patches overlap; a generator keeps one block in memory.
    parts = neighbouring_blocks(scan.positions, max(1, BLOCK // scan.n_pixels**2))
    blocks = ((predict(network, scan, grouping, seed, part), scan.positions[part]) for part in parts)
    return stitch(blocks, scan.probe, scan.shape, agree=networks.group_size(network) > 0)


def save_network(network: keras.Model, path: Path) -> Path:
    """Write a .keras file, whole or not at all, and refuse one that gives another output than the network.

    Parameters
    ----------
    network
        The network.
    path
        File to write.

    Returns
    -------
    The path that was written

    Raises
    ------
    StageError
        The saved network gives another output than the trained one.
    """
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

    Parameters
    ----------
    path
        File of `save_network`.
    remedy
        What the user can do where there is no network; part of the message.

    Returns
    -------
    keras.Model

    Raises
    ------
    InputError
        The file is absent, or is not a Keras file.
    """
    if not path.is_file():
        raise InputError("model", path.name, "a trained network", remedy)
    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, OSError) as error:
        raise InputError("model", path.name, f"a readable Keras file ({error})", remedy) from error


def expected(image: NDArray[np.complex64], scan: Scan, batch: int = 256) -> NDArray[np.float32]:
    """Return the patterns that PtychoPINN's physics layers expect from the windows of an object.

    Parameters
    ----------
    image : (rows, columns) complex64
        The object.
    scan
        Probe, positions and background.
    batch
        Number of positions that are computed together.

    Returns
    -------
    (positions, N, N) float32
        Photons, zero frequency in the centre.

    Raises
    ------
    InputError
        A window leaves the object.
    """
    moved, overlap = MovedProbes(scan.probe), Overlap(scan.probe)
    detector = Diffraction(scan.probe, background=scan.background)
    patches = extract(image, scan.positions, scan.n_pixels)
    parts = []
    for start in range(0, len(patches), batch):
        # (position, 1): every position is a group of its own.
        groups = np.arange(start, min(start + batch, len(patches)))[:, None]
        places, fractions = offsets(scan.positions, groups)
        probes = moved(keras.ops.convert_to_tensor(fractions))[:2]
        where = overlap(keras.ops.convert_to_tensor(places), *probes)
        some = patches[groups]
        amplitude, phase = (keras.ops.convert_to_tensor(a) for a in (np.abs(some), np.angle(some)))
        parts.append(keras.ops.convert_to_numpy(detector(amplitude, phase, *probes, *where))[:, 0])
    return np.concatenate(parts)

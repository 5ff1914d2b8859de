"""Write and strictly read the data sets of the study (schema DATA-001, an NPZ file).

`load_scan` reads what an experiment would have: patterns, probe and positions. `load_truth`, `load_phase` and
`load_patches` read the truth. No arm is given it, except the Baseline, which is trained on true patches.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError
from studylib.io import checks
from studylib.io.files import write_with
from studylib.io.npz import map_member, member_names, read_members
from studylib.physics.forward import FORWARD_MODEL
from studylib.physics.windows import window_corners
from studylib.scan import Scan

SCHEMA = "DATA-001"
REMEDY = "make it again with notebooks 01_generate and 02_overlap (see docs/data_contracts.md)"


def save(
    path: str | Path,
    scan: Scan,
    truth: NDArray[np.complex64],
    patches: NDArray[np.complex64] | None = None,
    phase: NDArray[np.float32] | None = None,
) -> Path:
    """Write a data set, whole or not at all. Equal input gives equal bytes.

    Parameters
    ----------
    path
        The NPZ file to write.
    scan
        Patterns, probe and positions, and whatever else the experiment has.
    truth : (rows, columns) complex64
        The true object.
    patches : (positions, N, N) complex64
        True patches, for supervised training only.
    phase : (rows, columns) float32
        True unwrapped phase in rad, for objects whose phase spans more than 2 pi.

    Returns
    -------
    Path
        `path`.
    """
    metadata = scan.metadata | {
        "schema": SCHEMA,
        "forward_model": FORWARD_MODEL,
        "intensity_scale": scan.scale,
        "held_share": scan.held_share,
        "n_positions": len(scan.positions),
    }
    members: dict[str, Any] = {
        "diffraction": scan.diffraction,
        "objectGuess": truth,
        "probeGuess": scan.probe,
        "xcoords": scan.positions[:, 0],
        "ycoords": scan.positions[:, 1],
        "scan_index": np.arange(len(scan.positions)),
        "_metadata": json.dumps(metadata, sort_keys=True),
    }
    if patches is not None:
        members["Y"] = patches
    if phase is not None:
        members["objectPhase"] = phase.astype(np.float32)
    if scan.held is not None:
        members["heldCounts"] = scan.held
    if scan.mask is not None:
        members["mask"] = scan.mask
    if scan.background is not None:
        members["background"] = scan.background
    return write_with(path, lambda file: np.savez(file, **members))


def load_scan(path: str | Path, remedy: str = REMEDY) -> Scan:
    """Read and check what an experiment would have. The truth is not opened.

    Parameters
    ----------
    path
        The data set.
    remedy
        What an error message tells the user to do.

    Returns
    -------
    Scan
        Patterns and held counts are memory maps.

    Raises
    ------
    InputError
        A member is missing, has another type or shape, is not finite, or is negative where it may not be; a window
        leaves the object; or the data set was simulated with another forward model.
    """
    path = Path(path)
    m = read_members(path, ("probeGuess", "xcoords", "ycoords", "_metadata"), remedy)
    metadata = _metadata(m["_metadata"], path, remedy)
    probe = m["probeGuess"]
    _expect(probe, "probeGuess", np.complex64, 2, path, remedy)
    checks.image(probe, f"probeGuess in {path.name}", remedy)

    def amplitudes(block: NDArray) -> None:
        _expect(block, "diffraction", np.float32, 3, path, remedy)
        if (block < 0).any():
            raise InputError(f"diffraction in {path.name}", float(block.min()), "amplitudes >= 0", remedy)

    diffraction = map_member(path, "diffraction", amplitudes, remedy)
    n, n_pixels = len(diffraction), probe.shape[0]
    if diffraction.shape[1:] != probe.shape or probe.shape[0] != probe.shape[1]:
        raise InputError(
            f"diffraction in {path.name}",
            diffraction.shape,
            f"(positions, N, N) with the probe's N = {n_pixels}",
            remedy,
        )
    for axis in ("xcoords", "ycoords"):
        _expect(m[axis], axis, np.float64, 1, path, remedy)
        if len(m[axis]) != n:
            raise InputError(f"{axis} in {path.name}", len(m[axis]), f"{n}, one a pattern", remedy)
    positions = np.stack([m["xcoords"], m["ycoords"]], axis=1)
    shape = (int(metadata["object_shape"][0]), int(metadata["object_shape"][1]))
    window_corners(positions, n_pixels, shape)  # raises when a window leaves the frame
    mask, dark = _mask(path, probe, remedy), _background(path, probe, remedy)
    scale = float(metadata["intensity_scale"])
    scan = Scan(diffraction, probe, positions, scale, shape, metadata, mask=mask, background=dark)
    return _with_held(scan, path, remedy) if metadata.get("held_share") else scan


def _mask(path: Path, probe: NDArray, remedy: str) -> NDArray[np.bool_] | None:
    """Return the mask of the detector, (N, N) bool, True where a pixel can be trusted; None if there is none."""
    if "mask" not in member_names(path, remedy):
        return None
    mask = read_members(path, ("mask",), remedy)["mask"]
    if mask.dtype != np.bool_ or mask.shape != probe.shape or not mask.any():
        raise InputError(
            f"mask in {path.name}", f"{mask.dtype} {mask.shape}", f"bool {probe.shape}, True: good", remedy
        )
    return mask


def _background(path: Path, probe: NDArray, remedy: str) -> NDArray[np.float32] | None:
    """Return the background, (N, N) float32: counts per pattern expected without the probe; None if there is none."""
    if "background" not in member_names(path, remedy):
        return None
    dark = read_members(path, ("background",), remedy)["background"]
    _expect(dark, "background", np.float32, 2, path, remedy)
    if dark.shape != probe.shape or (dark < 0).any():
        given = f"{dark.shape}, from {dark.min():.3g}"
        raise InputError(f"background in {path.name}", given, f"{probe.shape}, counts of a pattern >= 0", remedy)
    return dark


def _with_held(scan: Scan, path: Path, remedy: str) -> Scan:
    """Return the scan with the held counts, to which no arm is fitted, as a memory map."""

    def whole(block: NDArray) -> None:
        if block.dtype.kind != "u" or block.shape[1:] != scan.diffraction.shape[1:]:
            given = f"{block.dtype} {block.shape[1:]}"
            raise InputError(f"heldCounts in {path.name}", given, "unsigned counts, a pattern each", remedy)

    held = map_member(path, "heldCounts", whole, remedy)
    if len(held) != len(scan.positions):
        raise InputError(f"heldCounts in {path.name}", len(held), f"{len(scan.positions)} patterns", remedy)
    return replace(scan, held=held, held_share=float(scan.metadata["held_share"]))


def load_truth(path: str | Path, remedy: str = REMEDY) -> NDArray[np.complex64]:
    """Read the true object.

    Parameters
    ----------
    path
        The data set.
    remedy
        What an error message tells the user to do.

    Returns
    -------
    (rows, columns) complex64

    Raises
    ------
    InputError
        The member is missing, has another type or number of axes, or is not finite.
    """
    path = Path(path)
    truth = read_members(path, ("objectGuess",), remedy)["objectGuess"]
    _expect(truth, "objectGuess", np.complex64, 2, path, remedy)
    return truth


def load_phase(path: str | Path, remedy: str = REMEDY) -> NDArray[np.float32] | None:
    """Read the true unwrapped phase, which a data set holds when the phase spans more than 2 pi.

    Parameters
    ----------
    path
        The data set.
    remedy
        What an error message tells the user to do.

    Returns
    -------
    (rows, columns) float32 in rad, or None where the angle of the object is the phase

    Raises
    ------
    InputError
        The member has another type or number of axes, or is not finite.
    """
    path = Path(path)
    if "objectPhase" not in member_names(path, remedy):
        return None
    phase = read_members(path, ("objectPhase",), remedy)["objectPhase"]
    _expect(phase, "objectPhase", np.float32, 2, path, remedy)
    return phase


def load_patches(path: str | Path, remedy: str = REMEDY) -> NDArray[np.complex64]:
    """Read the true patches of a training set.

    Parameters
    ----------
    path
        The data set.
    remedy
        What an error message tells the user to do.

    Returns
    -------
    (positions, N, N) complex64, a memory map

    Raises
    ------
    InputError
        The member is missing, has another type or number of axes, or is not finite.
    """
    path = Path(path)
    return map_member(path, "Y", lambda block: _expect(block, "Y", np.complex64, 3, path, remedy), remedy)


def _metadata(member: NDArray, path: Path, remedy: str) -> dict[str, Any]:
    """Return the metadata from their JSON text, after a check of every field that the loader uses.

    Raises
    ------
    InputError
        The text is not a JSON object, a field is missing or out of its range, or schema or forward model differ.
    """
    label = f"_metadata in {path.name}"
    try:
        metadata = json.loads(str(member))
    except (ValueError, RecursionError):  # not JSON, or nested without end
        metadata = None
    if not isinstance(metadata, dict):
        raise InputError(label, str(member)[:40], "a JSON object, as text", remedy)
    missing = {"schema", "intensity_scale", "object_shape", "dose", "split"} - set(metadata)
    if missing or metadata["schema"] != SCHEMA:
        raise InputError(label, sorted(metadata), f"schema {SCHEMA} with all its fields", remedy)
    if metadata.get("forward_model") != FORWARD_MODEL:
        # Data sets from before the field existed were simulated with an interpolated object.
        given = metadata.get("forward_model", "none named: the object was interpolated")
        raise InputError(f"forward_model in {path.name}", given, FORWARD_MODEL, "simulate it again: " + remedy)
    for name, most in (("intensity_scale", checks.STRONGEST), ("dose", checks.MOST_COUNTS)):
        if not checks.is_number(metadata[name]) or not 0 < metadata[name] < most:
            raise InputError(label, metadata[name], f"{name} > 0, a number", remedy)
    if not checks.is_number(metadata.get("held_share", 0)) or not 0 <= metadata.get("held_share", 0) <= 1:
        raise InputError(label, metadata["held_share"], "held_share from 0 to 1", remedy)
    shape = metadata["object_shape"]
    # `type(...) is int` also excludes bool, which is a subclass of int.
    sides = isinstance(shape, list) and len(shape) == 2 and all(type(side) is int for side in shape)
    if not sides or not 0 < min(shape) <= max(shape) <= checks.WIDEST:
        raise InputError(label, shape, f"object_shape of two sides, 1 to {checks.WIDEST:,} px", remedy)
    return metadata


def _expect(array: NDArray, name: str, dtype: type, ndim: int, path: Path, remedy: str) -> None:
    """Reject an array with another dtype or number of axes, with an empty axis, or with values that are not finite."""
    label = f"{name} in {path.name}"
    if array.dtype != dtype:
        raise InputError(label, str(array.dtype), np.dtype(dtype).name, remedy)
    if array.ndim != ndim or 0 in array.shape:
        raise InputError(label, array.shape, f"{ndim} dimensions, none empty", remedy)
    if not np.isfinite(array).all():
        raise InputError(label, "NaN or infinity", "finite numbers", remedy)

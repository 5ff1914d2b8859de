"""Read and write scans as NPZ: DATA-001, and files of the fly64 kind (`diff3d`, counts, positions first or last)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError
from studylib.io import checks
from studylib.io.files import write_with
from studylib.io.npz import map_member, member_names, read_members
from studylib.measured import Measured, stack

REMEDY = "save it with numpy.savez(path, diffraction=..., probeGuess=..., xcoords=..., ycoords=...)"


def read(path: Path) -> Measured:
    """Read the patterns and everything else that the study uses.

    Patterns are `diffraction` (square roots of counts) or `diff3d` (counts). A base, which has only a probe and an
    object, is read too.

    Raises
    ------
    InputError
        There are neither patterns nor a base, or a member has another type or shape.
    """
    names = set(member_names(path, REMEDY))
    key = next((k for k in ("diffraction", "diff3d") if k in names), None)
    if key is None:
        if names >= {"probeGuess", "objectGuess"}:
            return _described(path, names, None, False, ["a base: object and probe, no patterns"])
        raise InputError(f"members of {path.name}", sorted(names)[:8], "diffraction or diff3d", REMEDY)
    remarks: list[str] = []
    stored = map_member(path, key, lambda block: checks.counts(block, f"{key} in {path.name}", REMEDY), REMEDY)
    if stored.ndim != 3 or 0 in stored.shape:
        raise InputError(f"{key} in {path.name}", stored.shape, "(positions, rows, columns)", REMEDY)
    n = len(read_members(path, ("xcoords",), REMEDY)["xcoords"]) if "xcoords" in names else None
    # Square patterns and the number of positions tell which axis is which; a view, nothing is copied.
    if stored.shape[0] == stored.shape[1] != stored.shape[2] and n in (None, stored.shape[2]):
        stored = np.moveaxis(stored, 2, 0)  # (rows, columns, positions) to (positions, rows, columns)
        remarks.append("patterns are stored as (rows, columns, positions)")
    amplitude = key == "diffraction"
    remarks.append("patterns are square roots of counts" if amplitude else "patterns are counts")
    return _described(path, names, stored, amplitude, remarks)


def _described(
    path: Path, names: set[str], stored: NDArray[Any] | None, amplitude: bool, remarks: list[str]
) -> Measured:
    """Return the scan of a file whose patterns are known already.

    Parameters
    ----------
    path
        The file.
    names
        All members of the file.
    stored : (positions, rows, columns)
        Patterns as stored; None where the file holds none.
    amplitude
        Whether they are square roots of counts.
    remarks
        What the reader has to say about the file.

    Raises
    ------
    InputError
        Positions are not finite real numbers, one per pattern; or probe or object are not complex.
    """
    wanted = [n for n in ("probeGuess", "objectGuess", "mask", "background", "xcoords", "ycoords") if n in names]
    members: dict[str, NDArray] = read_members(path, wanted, REMEDY)
    where = None
    if {"xcoords", "ycoords"} <= names:
        for k in ("xcoords", "ycoords"):
            if members[k].dtype.kind not in "fiu":
                raise InputError(f"{k} in {path.name}", str(members[k].dtype), "real numbers, object pixels", REMEDY)
        axes = [np.asarray(members[k], dtype=np.float64) for k in ("xcoords", "ycoords")]
        n = len(stored) if stored is not None else len(axes[0])
        if any(a.shape != (n,) or not np.isfinite(a).all() for a in axes):
            given = f"{axes[0].shape} and {axes[1].shape}"
            raise InputError(f"xcoords and ycoords in {path.name}", given, f"{n} finite numbers each", REMEDY)
        where = np.stack(axes, axis=1)  # (position, x and y)
    for key in ("probeGuess", "objectGuess"):
        if key in members and members[key].dtype.kind != "c":
            raise InputError(f"{key} in {path.name}", str(members[key].dtype), "a complex array", REMEDY)
    probe, image = members.get("probeGuess"), stack(members.get("objectGuess"))
    more = _metadata(path) if "_metadata" in names else {}
    pitch = _number(more.get("detector_pixel_m"))
    return Measured(
        "DATA-001 NPZ" if amplitude or stored is None else "NPZ of the fly64 kind", path.name, stored, amplitude,
        scale=_number(more.get("intensity_scale")) or 1.0, positions=where,
        probe=stack(probe), object=None if image is None else image[0],
        mask=members["mask"].astype(bool) if "mask" in members else None,
        background=background_of(members["background"], path) if "background" in members else None,
        energy_ev=_number(more.get("energy_ev")), distance_m=_number(more.get("distance_m")),
        detector_pixel_m=(pitch, pitch) if pitch else None, object_pixel_m=_number(more.get("object_pixel_m")),
        remarks=(*remarks, *_sentences(more.get("remarks"))),
    )  # fmt: skip


def _metadata(path: Path) -> dict[str, Any]:
    """Return the JSON object in `_metadata`; an empty one where other software uses that name for something else."""
    try:
        told = json.loads(str(read_members(path, ("_metadata",), REMEDY)["_metadata"]))
    except (json.JSONDecodeError, TypeError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def background_of(background: NDArray, path: Path) -> NDArray[np.float32]:
    """Check a background and return it in single precision.

    Parameters
    ----------
    background : (rows, columns) real
        Counts per pattern that are expected without the probe.
    path
        The file, for the error message.

    Returns
    -------
    (rows, columns) float32

    Raises
    ------
    InputError
        The values cannot be counts.
    """
    checks.counts(background, f"background in {path.name}", REMEDY)
    return background.astype(np.float32)


def _number(value: Any) -> float | None:
    """Return a number above 0 and in the range of a float; None for everything else."""
    return float(value) if checks.is_number(value) and 0 < value < 1e300 else None


def _sentences(value: Any) -> list[str]:
    """Return the texts of a list; an empty list for everything else."""
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def write(path: Path, told: Measured) -> Path:
    """Write a scan as DATA-001: patterns, positions, and probe, object, mask and background where they are known.

    Parameters
    ----------
    path
        The file to write, whole or not at all.
    told
        The scan.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        There are no patterns, or positions in object pixels are not known.
    """
    if told.patterns is None or told.places is None:
        lacks = told.missing()
        raise InputError("scan", told.name, "patterns and positions in object pixels", "; ".join(lacks.values()))
    members: dict[str, NDArray[Any]] = {
        "diffraction": np.concatenate([np.sqrt(block).astype(np.float32) for block in told.blocks()]),
        "xcoords": told.places[:, 0],
        "ycoords": told.places[:, 1],
    }
    for name, array in (
        ("probeGuess", told.probe), ("objectGuess", told.object), ("mask", told.mask), ("background", told.background),
    ):  # fmt: skip
        if array is not None:
            # DATA-001 has a probe without an axis of modes.
            members[name] = array[0] if name == "probeGuess" and len(array) == 1 else array
    more = {
        "energy_ev": told.energy_ev, "distance_m": told.distance_m, "object_pixel_m": told.pixel_m,
        "detector_pixel_m": told.detector_pixel_m[0] if told.detector_pixel_m else None, "remarks": told.remarks,
    }  # fmt: skip
    members["_metadata"] = np.array(json.dumps({name: value for name, value in more.items() if value}))
    return write_with(path, lambda file: np.savez(file, **members))  # type: ignore[arg-type]

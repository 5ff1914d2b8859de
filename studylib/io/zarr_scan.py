"""Zarr: large sets, laid out as DATA-001 or under the names of the fly64 kind; wants the extra `formats`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from studylib.errors import InputError
from studylib.io.npz_scan import background_of
from studylib.measured import Measured, stack

REMEDY = "write a group with the arrays diffraction or diff3d, xcoords, ycoords and probeGuess"


def is_zarr(path: Path) -> bool:
    """Return whether a folder is a Zarr group."""
    return path.is_dir() and any((path / name).is_file() for name in (".zgroup", "zarr.json"))


def read(path: Path) -> Measured:
    """Read a group; patterns are read as they are used.

    Raises
    ------
    InputError
        Zarr is not installed, or the group does not hold patterns.
    """
    try:
        import zarr
    except ImportError:
        raise InputError("file", path.name, "the package zarr to read it", "pip install zarr") from None
    group = zarr.open_group(path, mode="r")
    key = next((k for k in ("diffraction", "diff3d") if k in group), None)
    if key is None:
        raise InputError(f"arrays of {path.name}", sorted(group.array_keys())[:8], "diffraction or diff3d", REMEDY)
    found: dict[str, Any] = {k: np.asarray(group[k]) for k in group.array_keys() if k != key}
    patterns, scale = group[key], group.attrs.get("intensity_scale", 1.0)
    if not isinstance(patterns, zarr.Array) or not isinstance(scale, (int, float)):
        raise InputError(f"{key} in {path.name}", "a group", "an array, and a number as its intensity_scale", REMEDY)
    if patterns.ndim != 3 or 0 in patterns.shape or patterns.dtype.kind not in "fiu":
        given = f"{patterns.dtype} {patterns.shape}"
        raise InputError(f"{key} in {path.name}", given, "(positions, rows, columns) of real numbers", REMEDY)
    where = (
        np.stack([found[k] for k in ("xcoords", "ycoords")], axis=1) if {"xcoords", "ycoords"} <= set(found) else None
    )
    if where is not None and len(where) != patterns.shape[0]:
        raise InputError(f"xcoords in {path.name}", len(where), f"{patterns.shape[0]}, one a pattern", REMEDY)
    probe, image = found.get("probeGuess"), stack(found.get("objectGuess"))
    return Measured(
        "Zarr", path.name, patterns, key == "diffraction", scale=float(scale),
        positions=where, probe=stack(probe), object=None if image is None else image[0],
        mask=found["mask"].astype(bool) if "mask" in found else None,
        background=background_of(found["background"], path) if "background" in found else None,
    )  # fmt: skip

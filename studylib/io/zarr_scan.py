"""Read Zarr groups, for large scans. They use the array names of DATA-001 or of the fly64 kind.

The package zarr comes with the extra `formats`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError
from studylib.io import checks
from studylib.io.npz_scan import background_of
from studylib.measured import Measured, stack

REMEDY = "write a group with the arrays diffraction or diff3d, xcoords, ycoords and probeGuess"


def is_zarr(path: Path) -> bool:
    """Return whether a path is the folder of a Zarr group."""
    return path.is_dir() and any((path / name).is_file() for name in (".zgroup", "zarr.json"))


@dataclass(frozen=True)
class ZarrPatterns:
    """Diffraction patterns that stay in the chunks of an array until they are used.

    Attributes
    ----------
    array
        zarr.Array, (positions, rows, columns).
    label
        What error messages call it.
    """

    array: Any
    label: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (positions, rows, columns)."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        """Return the type of the counts as they are stored."""
        return self.array.dtype

    def __getitem__(self, where: slice) -> NDArray[Any]:
        """Return some patterns as stored, (some, rows, columns).

        Raises
        ------
        InputError
            A chunk is damaged. Each codec raises errors of its own kind.
        """
        try:
            return self.array[where]
        except Exception as error:
            raise InputError(
                self.label, checks.in_words(error), "chunks that their codec can read", "copy the group again"
            ) from error


def _value(array: Any, label: str) -> NDArray[Any]:
    """Return an array of a group, after a check that it does not take far more memory than space on the disk."""
    checks.unpacking(label, array.nbytes, array.nbytes_stored(), checks.UNPACKED)
    return np.asarray(array)


def read(path: Path) -> Measured:
    """Read a group. Patterns stay on disk until they are used; all other arrays are read at once.

    Raises
    ------
    InputError
        The package zarr is not installed, the group holds no patterns, or the positions differ in number from the
        patterns.
    """
    try:
        import zarr
    except ImportError:
        raise InputError("file", path.name, "the package zarr to read it", "pip install zarr") from None
    group = zarr.open_group(path, mode="r")
    # diffraction holds square roots of counts (DATA-001), diff3d counts (fly64).
    key = next((k for k in ("diffraction", "diff3d") if k in group), None)
    if key is None:
        raise InputError(f"arrays of {path.name}", sorted(group.array_keys())[:8], "diffraction or diff3d", REMEDY)
    found: dict[str, Any] = {k: _value(group[k], f"{k} in {path.name}") for k in group.array_keys() if k != key}
    patterns, scale = group[key], group.attrs.get("intensity_scale", 1.0)
    if not isinstance(patterns, zarr.Array) or not isinstance(scale, (int, float)):
        raise InputError(f"{key} in {path.name}", "a group", "an array, and a number as its intensity_scale", REMEDY)
    if patterns.ndim != 3 or 0 in patterns.shape or patterns.dtype.kind not in "fiu":
        given = f"{patterns.dtype} {patterns.shape}"
        raise InputError(f"{key} in {path.name}", given, "(positions, rows, columns) of real numbers", REMEDY)
    # (position, x and y), object pixels
    where = (
        np.stack([found[k] for k in ("xcoords", "ycoords")], axis=1) if {"xcoords", "ycoords"} <= set(found) else None
    )
    if where is not None and len(where) != patterns.shape[0]:
        raise InputError(f"xcoords in {path.name}", len(where), f"{patterns.shape[0]}, one a pattern", REMEDY)
    probe, image = found.get("probeGuess"), stack(found.get("objectGuess"))
    return Measured(
        "Zarr", path.name, ZarrPatterns(patterns, f"{key} in {path.name}"), key == "diffraction", scale=float(scale),
        positions=where, probe=stack(probe), object=None if image is None else image[0],
        mask=found["mask"].astype(bool) if "mask" in found else None,
        background=background_of(found["background"], path) if "background" in found else None,
    )  # fmt: skip

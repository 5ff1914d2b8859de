"""Reading HDF5: members by name, patterns as they are used, one clear line when something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError
from studylib.io import checks

with suppress(ImportError):  # filters of detectors, such as bitshuffle
    import hdf5plugin  # noqa: F401


UNPACKED = 1 << 27
"""Bytes to which any dataset may unpack."""


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open a file to read.

    Raises
    ------
    InputError
        It is no HDF5 file, or damaged.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise InputError("file", path.name, f"a readable HDF5 file ({_first_line(error)})", _remedy(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def _remedy(error: Exception) -> str:
    missing = "filter" in str(error)
    return "pip install hdf5plugin" if missing else "copy it again from where it was written"


def member(file: h5py.File, name: str) -> Any:
    """Return the value of a dataset, None where there is none of that name; a link that leads nowhere is none."""
    item = file.get(name)
    return value(item) if isinstance(item, h5py.Dataset) else None


def value(item: h5py.Dataset) -> Any:
    """Return the value of a dataset.

    Raises
    ------
    InputError
        It would take far more memory than it takes in the file.
    """
    label = f"{item.name} in {Path(item.file.filename).name}"
    checks.unpacking(label, item.nbytes, item.id.get_storage_size(), UNPACKED)
    return item[()]


def number(file: h5py.File, name: str) -> float | None:
    """Return a dataset of one finite number, None where there is none."""
    found = member(file, name)
    if found is None or np.size(found) != 1 or np.asarray(found).dtype.kind not in "fiu":
        return None
    told = float(np.asarray(found).reshape(-1)[0])
    return told if np.isfinite(told) else None


@dataclass(frozen=True)
class H5Patterns:
    """Patterns of a dataset (positions, rows, columns); the file is open only while some are read."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype

    def __getitem__(self, where: slice) -> NDArray[Any]:
        """Return some patterns."""
        with opened(self.path) as file:
            return file[self.name][where]


def patterns(path: Path, file: h5py.File, name: str) -> H5Patterns | None:
    """Return the patterns of a dataset, None where there is none of that name.

    Raises
    ------
    InputError
        Not three axes, none empty, of real numbers.
    """
    item = file.get(name)
    if not isinstance(item, h5py.Dataset):
        return None
    if item.ndim != 3 or 0 in item.shape or item.dtype.kind not in "fiu":
        given = f"{item.dtype} {item.shape}"
        raise InputError(f"{name} in {path.name}", given, "(positions, rows, columns) of real numbers")
    return H5Patterns(path, item.name, item.shape, item.dtype)

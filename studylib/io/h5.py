"""Read HDF5: members by name, patterns only when they are used, and one clear line when something is wrong."""

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

with suppress(ImportError):  # registers the compression filters of detectors, such as bitshuffle
    import hdf5plugin  # noqa: F401


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file to read.

    Yields
    ------
    h5py.File

    Raises
    ------
    InputError
        The file is not HDF5 or is damaged. Errors that HDF5 raises inside the block become an InputError too.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise InputError("file", path.name, f"a readable HDF5 file ({_first_line(error)})", _remedy(error)) from error


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, at most 120 characters, or the error's type if it has none."""
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def _remedy(error: Exception) -> str:
    """Return what the user can do about an error of HDF5."""
    missing = "filter" in str(error)  # HDF5 says so when it lacks a decompression filter
    return "pip install hdf5plugin" if missing else "copy it again from where it was written"


def member(file: h5py.File, name: str) -> Any:
    """Return the value of a dataset by its name.

    Parameters
    ----------
    file
        An open file.
    name
        Path of the dataset in the file.

    Returns
    -------
    Array or scalar; None where the file has no dataset of that name, or only a link without a target

    Raises
    ------
    InputError
        The dataset would take far more memory than it takes in the file.
    """
    item = file.get(name)
    return value(item, file) if isinstance(item, h5py.Dataset) else None


def beside(item: h5py.Dataset, file: h5py.File) -> None:
    """Reject a dataset whose content lies outside the folder of its file.

    Detectors write a file whose links and virtual datasets lead to other files beside it. A link to anywhere else would
    read what the user did not give.

    Parameters
    ----------
    item
        Dataset, found through the links of the file.
    file
        The file that was opened.

    Raises
    ------
    InputError
        A link or a virtual dataset leads out of the folder, or the dataset keeps its content in raw files.
    """
    folder, label = Path(file.filename).resolve().parent, f"{item.name} in {Path(file.filename).name}"
    if item.external:
        raise InputError(label, "its content in raw files", "a dataset inside HDF5", "copy it with h5repack")
    for other in (Path(item.file.filename), *_sources(item)):
        if not other.resolve().is_relative_to(folder):
            given = f"content in {other.name} of another folder"
            raise InputError(label, given, "content in this file, or in files beside it", "put the files together")


def value(item: h5py.Dataset, file: h5py.File) -> Any:
    """Return the value of a dataset, an array or a scalar.

    Parameters
    ----------
    item
        Dataset, found through the links of the file.
    file
        The file that was opened.

    Raises
    ------
    InputError
        The dataset would take far more memory than it takes in the file, or its content lies elsewhere (`beside`).
    """
    beside(item, file)
    label = f"{item.name} in {Path(item.file.filename).name}"
    # Of a virtual dataset the content is stored elsewhere: the files that hold it count.
    stored = item.id.get_storage_size() + sum(path.stat().st_size for path in _sources(item) if path.is_file())
    checks.unpacking(label, item.nbytes, stored, checks.UNPACKED)
    return item[()]


def number(file: h5py.File, name: str) -> float | None:
    """Return the value of a dataset that holds one finite number.

    Parameters
    ----------
    file
        An open file.
    name
        Path of the dataset in the file.

    Returns
    -------
    float, or None where there is no such dataset, or where it does not hold exactly one finite real number

    Raises
    ------
    InputError
        The dataset would take far more memory than it takes in the file.
    """
    found = member(file, name)
    if found is None or np.size(found) != 1 or np.asarray(found).dtype.kind not in "fiu":
        return None
    told = float(np.asarray(found).reshape(-1)[0])
    return told if np.isfinite(told) else None


def _sources(item: h5py.Dataset) -> set[Path]:
    """Return the files that a virtual dataset is made of; none for any other dataset."""
    own = Path(item.file.filename)
    names = {source.file_name for source in item.virtual_sources()} if item.is_virtual else set()
    return {own if name == "." else own.parent / name for name in names}


@dataclass(frozen=True)
class H5Patterns:
    """Diffraction patterns that stay in the file. The file is open only while some of them are read.

    Attributes
    ----------
    path
        The file.
    name
        Path of the dataset in the file.
    shape
        (positions, rows, columns).
    dtype
        As stored.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype

    def __getitem__(self, where: slice) -> NDArray[Any]:
        """Return some patterns as stored, (some, rows, columns)."""
        with opened(self.path) as file:
            return file[self.name][where]


def patterns(path: Path, file: h5py.File, name: str) -> H5Patterns | None:
    """Return the diffraction patterns of a dataset without reading them.

    Parameters
    ----------
    path
        The file, from which patterns are read when they are used.
    file
        The same file, open.
    name
        Path of the dataset in the file.

    Returns
    -------
    H5Patterns, or None where the file has no dataset of that name

    Raises
    ------
    InputError
        The dataset does not have three axes, has an empty axis, does not hold real numbers, or its content lies
        elsewhere (`beside`).
    """
    item = file.get(name)
    if not isinstance(item, h5py.Dataset):
        return None
    if item.ndim != 3 or 0 in item.shape or item.dtype.kind not in "fiu":
        given = f"{item.dtype} {item.shape}"
        raise InputError(f"{name} in {path.name}", given, "(positions, rows, columns) of real numbers")
    beside(item, file)
    return H5Patterns(path, name, item.shape, item.dtype)

"""Strict reading of NPZ files: no pickles, no surprises, one clear line when something is wrong."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError


def read_members(path: str | Path, names: Iterable[str], remedy: str) -> dict[str, NDArray]:
    """Read the named members of an NPZ.

    Parameters
    ----------
    path
        The file.
    names
        Members to read; all must be there.
    remedy
        What the error message tells the user to do.

    Raises
    ------
    InputError
        The file is absent or damaged, a member is missing, listed twice, or pickled.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("file", path.name, "an existing NPZ file", remedy)
    try:
        with zipfile.ZipFile(path) as archive:
            listed = archive.namelist()
        with np.load(path, allow_pickle=False) as archive:
            return {name: _read(archive, listed, name, path, remedy) for name in names}
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise InputError("file", path.name, f"a readable NPZ ({error})", remedy) from error


def _read(archive: np.lib.npyio.NpzFile, listed: list[str], name: str, path: Path, remedy: str) -> NDArray:
    count = listed.count(f"{name}.npy")
    if count != 1:
        what = "missing" if count == 0 else f"listed {count} times"
        have = ", ".join(sorted({entry.removesuffix(".npy") for entry in listed}))
        raise InputError(f"{name} in {path.name}", what, f"one member (file has: {have})", remedy)
    try:
        return archive[name]
    except (ValueError, MemoryError, zipfile.BadZipFile, OSError) as error:
        raise InputError(
            f"{name} in {path.name}", f"unreadable ({error})", "a plain array, not pickled", remedy
        ) from error

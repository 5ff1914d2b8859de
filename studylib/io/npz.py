"""Strict reading of NPZ files: no pickles, no surprises, one clear line when something is wrong."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError

BLOCK_BYTES = 1 << 24


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
    path, names = Path(path), tuple(names)
    for name in names:
        _one_member(path, name, remedy)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: _read(archive, name, path, remedy) for name in names}
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise InputError("file", path.name, f"a readable NPZ ({error})", remedy) from error


def map_member(path: str | Path, name: str, check: Callable[[NDArray], None], remedy: str) -> NDArray:
    """Map a member of an NPZ into memory instead of reading it, after one pass over its content.

    The pass holds the content against the archive's checksum, and against `check`, a few MiB at a time.

    Parameters
    ----------
    path, name, remedy
        As for `read_members`.
    check
        Is given blocks of the array, (some, ...), and raises what it finds wrong.

    Returns
    -------
    A read-only memory map; an array where the member is compressed or in Fortran order

    Raises
    ------
    InputError
        As `read_members`.
    """
    path = Path(path)
    _one_member(path, name, remedy)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
            first = np.lib.format.read_magic(member) == (1, 0)
            read_header = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read_header(member)
            info = archive.getinfo(f"{name}.npy")
            if fortran or info.compress_type != zipfile.ZIP_STORED or dtype.hasobject or not shape:
                array = read_members(path, (name,), remedy)[name]
                check(array)
                return array
            header = member.tell()
            row = dtype.itemsize * int(np.prod(shape[1:]))
            # A header may promise what the file does not hold.
            if header + row * shape[0] != info.file_size:
                raise ValueError(f"{info.file_size} bytes, its header says {header + row * shape[0]}")
            step = max(1, BLOCK_BYTES // max(row, 1))
            for start in range(0, shape[0], step):
                n = min(step, shape[0] - start)
                check(np.frombuffer(member.read(n * row), dtype).reshape(n, *shape[1:]))
            member.read()  # to the end, where the checksum is compared
        return np.memmap(path, dtype, "r", _content_offset(path, info) + header, shape)
    except (ValueError, EOFError, zipfile.BadZipFile, OSError) as error:
        raise InputError(
            f"{name} in {path.name}", f"unreadable ({error})", "a plain array, not pickled", remedy
        ) from error


def _content_offset(path: Path, info: zipfile.ZipInfo) -> int:
    """Return where a member's bytes begin: after its local header, which has lengths of its own."""
    with path.open("rb") as file:
        file.seek(info.header_offset + 26)
        name_length, extra_length = struct.unpack("<HH", file.read(4))
    return info.header_offset + 30 + name_length + extra_length


def member_names(path: Path, remedy: str) -> list[str]:
    """Return the names of an NPZ's members, as often as each is listed.

    Raises
    ------
    InputError
        No such file, or no archive.
    """
    if not path.is_file():
        raise InputError("file", path.name, "an existing NPZ file", remedy)
    try:
        with zipfile.ZipFile(path) as archive:
            return [entry.removesuffix(".npy") for entry in archive.namelist()]
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError("file", path.name, f"a readable NPZ ({error})", remedy) from error


def _one_member(path: Path, name: str, remedy: str) -> None:
    """Raise InputError unless the file is an archive that lists the member once."""
    listed = member_names(path, remedy)
    count = listed.count(name)
    if count != 1:
        what = "missing" if count == 0 else f"listed {count} times"
        have = ", ".join(sorted(set(listed)))
        raise InputError(f"{name} in {path.name}", what, f"one member (file has: {have})", remedy)


def _read(archive: np.lib.npyio.NpzFile, name: str, path: Path, remedy: str) -> NDArray:
    try:
        return archive[name]
    except (ValueError, MemoryError, zipfile.BadZipFile, OSError) as error:
        raise InputError(
            f"{name} in {path.name}", f"unreadable ({error})", "a plain array, not pickled", remedy
        ) from error

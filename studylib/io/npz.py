"""Strict reading of NPZ files: no pickles, no surprises, one clear line when something is wrong.

What a file says of itself is checked before anything is read: a small one may promise, or unpack to, more than there is
memory.
"""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from numpy.typing import NDArray

from studylib.errors import InputError
from studylib.io import checks

BLOCK_BYTES = 1 << 24
UNPACKED = 1 << 29
"""Bytes to which any member may unpack."""
ENCRYPTED = 0x1
"""Bit of a member's flags."""
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What numpy writes."""


class Member(NamedTuple):
    """A member as the archive lists it, and the array that its own header promises."""

    info: zipfile.ZipInfo
    header: int
    """Bytes before the content."""
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype


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
        The file is absent or damaged, a member is missing, listed twice, or pickled, or it is not what its header says
        or unpacks to more than there is room for.
    """
    path, names = Path(path), tuple(names)
    found = {name: _member(path, name, remedy) for name in names}
    _refuse_bombs(path, found, remedy)
    arrays = {}
    for name in names:
        try:
            with zipfile.ZipFile(path) as archive, archive.open(found[name].info) as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
                if file.read(1):
                    raise ValueError("more bytes than its header says")
        except Exception as error:  # whatever the libraries make of spoiled bytes
            raise _unreadable(path, name, error, remedy) from error
        # Arithmetic is in the machine's own order of bytes.
        arrays[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
    return arrays


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
    A read-only memory map; an array where the member is packed, in Fortran order or in another order of bytes

    Raises
    ------
    InputError
        As `read_members`.
    """
    path = Path(path)
    found = _member(path, name, remedy)
    packed = found.info.compress_type != zipfile.ZIP_STORED
    if found.fortran or packed or not found.shape or not found.dtype.isnative:
        array = read_members(path, (name,), remedy)[name]
        check(array)
        return array
    for block in _blocks(path, name, found, remedy):
        check(block)
    try:
        return np.memmap(path, found.dtype, "r", _content_offset(path, found.info) + found.header, found.shape)
    except Exception as error:  # whatever the libraries make of spoiled bytes
        raise _unreadable(path, name, error, remedy) from error


def _blocks(path: Path, name: str, found: Member, remedy: str) -> Iterator[NDArray]:
    """Yield a stored member a few MiB at a time, and hold it against the archive's checksum at its end."""
    row = found.dtype.itemsize * math.prod(found.shape[1:])
    step = max(1, BLOCK_BYTES // max(row, 1))
    try:
        with zipfile.ZipFile(path) as archive, archive.open(found.info) as member:
            member.read(found.header)
            for start in range(0, found.shape[0], step):
                n = min(step, found.shape[0] - start)
                yield np.frombuffer(member.read(n * row), found.dtype).reshape(n, *found.shape[1:])
            member.read()
    except Exception as error:  # whatever the libraries make of spoiled bytes
        raise _unreadable(path, name, error, remedy) from error


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
    return [info.filename.removesuffix(".npy") for info in _listed(path, remedy)]


def _listed(path: Path, remedy: str) -> list[zipfile.ZipInfo]:
    if not path.is_file():
        raise InputError("file", path.name, "an existing NPZ file", remedy)
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except Exception as error:  # whatever the libraries make of spoiled bytes
        raise InputError("file", path.name, f"a readable NPZ ({_words(error)})", remedy) from error


def _member(path: Path, name: str, remedy: str) -> Member:
    """Return a member that the archive lists once, and whose header promises what is there."""
    listed = _listed(path, remedy)
    mine = [info for info in listed if info.filename.removesuffix(".npy") == name]
    if len(mine) != 1:
        what = f"listed {len(mine)} times" if mine else "missing"
        have = ", ".join(sorted({info.filename.removesuffix(".npy") for info in listed}))[:200]
        raise InputError(f"{name} in {path.name}", what, f"one member (file has: {have})", remedy)
    (info,) = mine
    if info.flag_bits & ENCRYPTED:
        raise InputError(f"{name} in {path.name}", "encrypted", "an array that anybody can read", remedy)
    if info.compress_type not in PACKINGS:
        given = f"compression {info.compress_type}"
        raise InputError(f"{name} in {path.name}", given, "an archive as numpy.savez writes it", remedy)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(info) as file:
            version = np.lib.format.read_magic(file)
            first = version == (1, 0)
            read_header = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read_header(file)
            header = file.tell()
        if dtype.hasobject:
            raise ValueError("Python objects, pickled")
        if not all(side >= 0 for side in shape):
            raise ValueError(f"shape {shape}")
        promised = header + dtype.itemsize * math.prod(shape)
        if promised != info.file_size:
            raise ValueError(f"{info.file_size:,} bytes, its header says {promised:,}")
    except Exception as error:  # whatever the libraries make of spoiled bytes
        raise _unreadable(path, name, error, remedy) from error
    return Member(info, header, shape, fortran, dtype)


def _refuse_bombs(path: Path, found: dict[str, Member], remedy: str) -> None:
    """Refuse members that would take more memory than they may, or than there is, before they are unpacked."""
    for name, (info, *_) in found.items():
        checks.unpacking(f"{name} in {path.name}", info.file_size, info.compress_size, UNPACKED, remedy)
    needed, free = sum(info.file_size for info, *_ in found.values()), psutil.virtual_memory().available
    if needed > free:
        words = f"what fits into memory: {free / 2**20:,.0f} MiB are free"
        raise InputError(f"arrays in {path.name}", f"{needed / 2**20:,.0f} MiB", words, remedy)


def _words(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:120]


def _unreadable(path: Path, name: str, error: Exception, remedy: str) -> InputError:
    words = f"unreadable ({_words(error)})"
    return InputError(f"{name} in {path.name}", words, "a plain array, not pickled", remedy)

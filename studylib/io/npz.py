"""Read NPZ files strictly: no pickles, and one clear line when something is wrong.

The sizes that a file states are checked before its content is read, because a small file may state, or unpack to, more
than fits into the memory.
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
"""Bytes that are checked at a time."""
UNPACKED = 1 << 29
"""Bytes in memory that every member may take, however small it is in the file."""
ENCRYPTED = 0x1
"""Bit in the flags of a ZIP member that is set when the member is encrypted."""
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compression methods that numpy writes."""


class Member(NamedTuple):
    """A member of an NPZ: its entry in the archive, and what its own header states about the array."""

    info: zipfile.ZipInfo
    header: int
    """Length of the array's header in bytes; the content follows it."""
    shape: tuple[int, ...]
    fortran: bool
    """Whether the content is in Fortran order."""
    dtype: np.dtype


def read_members(path: str | Path, names: Iterable[str], remedy: str) -> dict[str, NDArray]:
    """Read the named members of an NPZ.

    Parameters
    ----------
    path
        The file.
    names
        Members to read, without the ending .npy; all must be there.
    remedy
        What the error message tells the user to do.

    Returns
    -------
    dict
        Array by member name, in the byte order of the machine.

    Raises
    ------
    InputError
        The file is absent or damaged; or a member is missing, listed twice, encrypted or pickled, differs from its
        header, or unpacks to more than fits into the memory.
    """
    path, names = Path(path), tuple(names)
    found = {name: _member(path, name, remedy) for name in names}
    _refuse_bombs(path, found, remedy)
    arrays = {}
    for name in names:
        try:
            with zipfile.ZipFile(path) as archive, archive.open(found[name].info) as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
                # Reading to the end also makes zipfile compare the checksum.
                if file.read(1):
                    raise ValueError("more bytes than its header says")
        except Exception as error:  # damaged bytes raise errors of many types
            raise _unreadable(path, name, error, remedy) from error
        # Frameworks such as PyTorch accept only the byte order of the machine.
        arrays[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
    return arrays


def map_member(path: str | Path, name: str, check: Callable[[NDArray], None], remedy: str) -> NDArray:
    """Map a member of an NPZ into memory instead of reading it, after one pass over its content.

    The pass compares the content with the checksum of the archive, and gives it to `check`, a few MiB at a time.

    Parameters
    ----------
    path
        The file.
    name
        Member to map, without the ending .npy.
    check
        Receives blocks of the array, (some, ...), and raises an error for what it finds wrong.
    remedy
        What the error message tells the user to do.

    Returns
    -------
    A read-only memory map; or an array in memory where the member is compressed, has no axes, or is in Fortran order
    or in another byte order

    Raises
    ------
    InputError
        As for `read_members`; and what `check` raises.
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
    except Exception as error:  # damaged bytes raise errors of many types
        raise _unreadable(path, name, error, remedy) from error


def _blocks(path: Path, name: str, found: Member, remedy: str) -> Iterator[NDArray]:
    """Yield an uncompressed member a few MiB at a time, (some, ...), and compare the archive's checksum at its end."""
    # Blocks are cut along the first axis; a row is one entry of it, in bytes.
    row = found.dtype.itemsize * math.prod(found.shape[1:])
    step = max(1, BLOCK_BYTES // max(row, 1))
    try:
        with zipfile.ZipFile(path) as archive, archive.open(found.info) as member:
            member.read(found.header)
            for start in range(0, found.shape[0], step):
                n = min(step, found.shape[0] - start)
                yield np.frombuffer(member.read(n * row), found.dtype).reshape(n, *found.shape[1:])
            member.read()  # zipfile compares the checksum at the end of the member
    except Exception as error:  # damaged bytes raise errors of many types
        raise _unreadable(path, name, error, remedy) from error


def _content_offset(path: Path, info: zipfile.ZipInfo) -> int:
    """Return the offset of a member's bytes in the file.

    They follow the local header, whose name and extra field may differ in length from those in the central directory.

    References
    ----------
    PKWARE, .ZIP File Format Specification (APPNOTE.TXT), sec. 4.3.7.
    """
    with path.open("rb") as file:
        # The local header has 30 fixed bytes; the lengths of name and extra field are the last four of them.
        file.seek(info.header_offset + 26)
        name_length, extra_length = struct.unpack("<HH", file.read(4))
    return info.header_offset + 30 + name_length + extra_length


def member_names(path: Path, remedy: str) -> list[str]:
    """Return the names of the members of an NPZ, without the ending .npy.

    Parameters
    ----------
    path
        The file.
    remedy
        What the error message tells the user to do.

    Returns
    -------
    list
        Names in the order of the archive; a name that is listed twice appears twice.

    Raises
    ------
    InputError
        There is no such file, or it is not a ZIP archive.
    """
    return [info.filename.removesuffix(".npy") for info in _listed(path, remedy)]


def _listed(path: Path, remedy: str) -> list[zipfile.ZipInfo]:
    """Return the entries of the archive's directory."""
    if not path.is_file():
        raise InputError("file", path.name, "an existing NPZ file", remedy)
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except Exception as error:  # damaged bytes raise errors of many types
        raise InputError("file", path.name, f"a readable NPZ ({_words(error)})", remedy) from error


def _member(path: Path, name: str, remedy: str) -> Member:
    """Return a member, after a check that the archive lists it once and that its size agrees with its header."""
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
    except Exception as error:  # damaged bytes raise errors of many types
        raise _unreadable(path, name, error, remedy) from error
    return Member(info, header, shape, fortran, dtype)


def _refuse_bombs(path: Path, found: dict[str, Member], remedy: str) -> None:
    """Reject members that would take more memory than is allowed or free, before they are unpacked."""
    for name, (info, *_) in found.items():
        checks.unpacking(f"{name} in {path.name}", info.file_size, info.compress_size, UNPACKED, remedy)
    needed, free = sum(info.file_size for info, *_ in found.values()), psutil.virtual_memory().available
    if needed > free:
        words = f"what fits into memory: {free / 2**20:,.0f} MiB are free"
        raise InputError(f"arrays in {path.name}", f"{needed / 2**20:,.0f} MiB", words, remedy)


def _words(error: Exception) -> str:
    """Return an error's message on one line, at most 120 characters, or the error's type if it has none."""
    return " ".join((str(error) or type(error).__name__).split())[:120]


def _unreadable(path: Path, name: str, error: Exception, remedy: str) -> InputError:
    """Return the error to raise for a member that cannot be read."""
    words = f"unreadable ({_words(error)})"
    return InputError(f"{name} in {path.name}", words, "a plain array, not pickled", remedy)

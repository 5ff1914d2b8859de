"""The computing resources of a process: processor, GPU, threads, libraries, memory and disk."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import DTypeLike, NDArray

from studylib.errors import InputError

HELD = 2**29
"""Largest array that is held in memory, bytes. A larger one lies in a file, which is read and written as it is used."""


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed; of two frameworks, one is enough."""
    found = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def processor() -> str:
    """Return the name of the processor, or its architecture where the system does not give a name."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def threads() -> int:
    """Return the number of threads with which this process computes."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def refuse_too_large(name: str, shape: tuple[int, int, int], needed_mib: float, remedy: str) -> None:
    """Refuse patterns that do not fit into the free memory of this machine.

    Parameters
    ----------
    name
        Name of the data that are refused.
    shape
        Positions, rows and columns of the patterns.
    needed_mib
        Memory that they would take, MiB.
    remedy
        What the user can do.

    Raises
    ------
    InputError
        The memory is too small; the message says how much is needed and how much is free.
    """
    _refuse(name, shape, needed_mib * 2**20, psutil.virtual_memory().available, "fits into memory", remedy)


def _refuse(name: str, shape: tuple[int, ...], needed: float, there: float, words: str, remedy: str) -> None:
    """Refuse patterns that take more space than is free.

    Parameters
    ----------
    name
        Name of the data that are refused.
    shape
        Positions, rows and columns of the patterns.
    needed, there
        Needed and free space, bytes.
    words
        What is expected of the patterns, for the message.
    remedy
        What the user can do.

    Raises
    ------
    InputError
        The space is too small.
    """
    if needed > there:
        room = f"it takes about {needed / 2**20:,.0f} MiB, and {there / 2**20:,.0f} MiB are free"
        raise InputError(name, f"{shape[0]:,} patterns of {shape[1]} x {shape[2]} px", f"what {words}: {room}", remedy)


def room(shape: tuple[int, ...], dtype: DTypeLike, name: str) -> NDArray[Any]:
    """Return an array to be filled: in memory, or above `HELD` bytes in a nameless file that disappears with the array.

    Parameters
    ----------
    shape
        Shape of the array; for patterns (positions, rows, columns).
    dtype
        Type of its elements.
    name
        Name of the data that it will hold, for the message.

    Returns
    -------
    array
        Its content is undefined.

    Raises
    ------
    InputError
        The disk has too little space.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size <= HELD:
        return np.empty(shape, dtype)
    folder = refuse_full_disk(name, shape, size)
    # The memory map keeps the file open after the block; without a name it needs no cleaning up.
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, dtype, "w+", shape=shape)


def refuse_full_disk(name: str, shape: tuple[int, ...], needed: float) -> str:
    """Return the folder for arrays that are too large for the memory, and refuse data that do not fit there.

    Parameters
    ----------
    name
        Name of the data, for the message.
    shape
        Positions, rows and columns of the patterns, for the message.
    needed
        Space that the data take, bytes.

    Returns
    -------
    str
        The folder TMPDIR if it is set, otherwise a folder of the system for temporary files.

    Raises
    ------
    InputError
        The disk has too little space; the message says how much is needed and how much is free.
    """
    folder = os.environ.get("TMPDIR") or ("/var/tmp" if Path("/var/tmp").is_dir() else tempfile.gettempdir())
    remedy = "set TMPDIR to a folder on a larger disk, give a part of the positions, or a smaller detector"
    _refuse(name, shape, needed, shutil.disk_usage(folder).free, f"fits on the disk of {folder}", remedy)
    return folder


def taken(array: NDArray[Any], indices: NDArray[np.intp] | slice, name: str) -> NDArray[Any]:
    """Return some entries of the first axis, as indexing does; large selections go into `room`, block by block.

    Parameters
    ----------
    array : (positions, ...)
        In memory or a memory map.
    indices : (some,) int or bool
        Indices or mask of the entries, or a slice.
    name
        Name of the data, for the message.

    Returns
    -------
    (some, ...), dtype of `array`
        A view for a slice, otherwise a copy.

    Raises
    ------
    InputError
        The disk has too little space.
    """
    if isinstance(indices, slice) or np.asarray(indices).dtype == bool:
        return array[indices]
    shape = (len(indices), *array.shape[1:])
    each = array.dtype.itemsize * int(np.prod(shape[1:]))
    if each * len(indices) <= HELD:
        return array[indices]
    # Each block is an eighth of `HELD`, so that the memory stays small.
    made, size = room(shape, array.dtype, name), max(1, HELD // (8 * each))
    for start in range(0, len(indices), size):
        made[start : start + size] = array[indices[start : start + size]]
    return made


def device() -> str:
    """Return the name of the GPU with which this process computes, or cpu.

    Nothing is imported for this: a framework that the process has not loaded computes nothing.
    """
    torch, tensorflow = sys.modules.get("torch"), sys.modules.get("tensorflow")
    if torch is not None and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "gpu" if tensorflow is not None and tensorflow.config.list_physical_devices("GPU") else "cpu"

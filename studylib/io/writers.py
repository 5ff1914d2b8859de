"""Writing a measured scan, or its reconstruction: the ending of the name decides the format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from studylib.errors import InputError
from studylib.io import cxi, npz_scan, ptychodus
from studylib.measured import Measured

WRITERS: dict[str, Callable[[Path, Measured], Path]] = {
    ".npz": npz_scan.write,
    ".cxi": cxi.write,
    ".h5": ptychodus.write_product,
}


def write_scan(path: Path, scan: Measured) -> Path:
    """Write what is known, whole or not at all: .npz (DATA-001), .cxi, or .h5 (a ptychodus product, no patterns).

    Raises
    ------
    InputError
        Another ending, a file that is there, or something that the format needs is not known.
    """
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise InputError("name", path.name, "one that ends with " + ", ".join(WRITERS))
    if path.exists():
        raise InputError("name", path.name, "one that is not there yet", "choose another name, or move it away")
    return write(path, scan)

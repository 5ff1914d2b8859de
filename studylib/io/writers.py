"""Write a measured scan or its reconstruction. The ending of the file name decides the format."""

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
"""Writer by ending of the file name: from the path and the scan to the path."""


def write_scan(path: Path, scan: Measured) -> Path:
    """Write what is known of a scan, whole or not at all.

    Parameters
    ----------
    path
        File to write; .npz gives DATA-001, .cxi gives CXI, and .h5 a ptychodus product, which has no patterns.
    scan
        The scan or its reconstruction.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        The ending is not known, the file exists already, or the scan lacks something that the format needs.
    """
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise InputError("name", path.name, "one that ends with " + ", ".join(WRITERS))
    if path.exists():  # measured data are never overwritten
        raise InputError("name", path.name, "one that is not there yet", "choose another name, or move it away")
    return write(path, scan)

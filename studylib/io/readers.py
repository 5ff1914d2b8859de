"""Open a measured scan of any known format. The content of the file decides on the format, never its name."""

from __future__ import annotations

from pathlib import Path

from studylib.errors import InputError, StudyError
from studylib.io import apart, checks, cxi, h5, npz_scan, ptychodus, ptyr, zarr_scan
from studylib.measured import Measured

HDF5_READERS = (
    (ptychodus.is_product, ptychodus.read_product),
    (ptyr.is_ptyr, ptyr.read),
    (cxi.is_cxi, cxi.read),
    (ptychodus.is_diffraction, ptychodus.read_diffraction),
)
"""Pairs of functions: one says whether an HDF5 file has a layout, the other reads it. The first that fits is used."""
HDF5 = b"\x89HDF\r\n\x1a\n"
"""The first bytes of every HDF5 file."""
FORMATS = "DATA-001 or fly64 NPZ, CXI, ptychodus product or diffraction HDF5, ptypy .ptyr, Zarr"


def open_scan(path: str | Path, *more: str | Path) -> Measured:
    """Read a measured scan from one or several files. Patterns stay on disk until they are used.

    Parameters
    ----------
    path
        A file, or the folder of a Zarr group.
    more
        Other files of the same scan, which add what the first one lacks; for example a ptychodus product and its
        diffraction data.

    Returns
    -------
    Measured

    Raises
    ------
    InputError
        There is no such file, its format is not known, a member is not what the format prescribes, its library
        crashes on it, or the files belong to different scans.
    """
    for file in map(Path, (path, *more)):
        if zarr_scan.is_zarr(file) or _starts_with(file, HDF5):
            apart.check(file)
    return open_here(path, *more)


def open_here(path: str | Path, *more: str | Path) -> Measured:
    """Read as `open_scan` does, but without the separate process: a library that crashes ends this process too.

    Parameters
    ----------
    path, more
        As for `open_scan`.

    Returns
    -------
    Measured

    Raises
    ------
    InputError
        As for `open_scan`, except for crashes.
    """
    told = _guarded(Path(path))
    for other in more:
        told = told.completed(_guarded(Path(other)))
    return _fitting(told)


def _starts_with(path: Path, magic: bytes) -> bool:
    """Return whether the first bytes of a file are the given ones; False for a folder and a missing file."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _guarded(path: Path) -> Measured:
    """Read a file, and turn every error of a library into an InputError, wherever it occurs.

    Raises
    ------
    InputError
        The content of the file is not what its format prescribes.
    """
    try:
        return _read(path)
    except StudyError:
        raise
    except Exception as error:
        words = checks.in_words(error)
        raise InputError(f"content of {path.name}", words, "what its format says", "copy or export it again") from error


def _fitting(scan: Measured) -> Measured:
    """Return the scan after a check that its arrays fit together and hold valid values.

    Raises
    ------
    InputError
        Positions, mask, background or probe do not fit the patterns, or an array fails its check.
    """
    where = scan.positions if scan.positions is not None else scan.positions_m
    if scan.patterns is not None:
        n, *frame = scan.patterns.shape  # positions; rows and columns of the detector
        if where is not None and len(where) != n:
            raise InputError(f"positions in {scan.name}", len(where), f"{n}, one a pattern", "give files of one scan")
        for name, image in (("mask", scan.mask), ("background", scan.background)):
            if image is not None and list(image.shape) != frame:
                raise InputError(f"{name} in {scan.name}", image.shape, f"{tuple(frame)}, as the patterns")
        if scan.probe is not None and list(scan.probe.shape[1:]) != frame:
            raise InputError(f"probe in {scan.name}", scan.probe.shape, f"(modes, {frame[0]}, {frame[1]})")
    if scan.probe is not None:
        checks.image(scan.probe, f"probe in {scan.name}")
    if scan.object is not None:
        checks.image(scan.object, f"object in {scan.name}")
    if scan.mask is not None:
        checks.mask(scan.mask, f"mask in {scan.name}")
    if scan.places is not None:
        checks.positions(scan.places, f"positions in {scan.name}")
    return scan


def _read(path: Path) -> Measured:
    """Read one file by the reader of its format.

    Raises
    ------
    InputError
        There is no such file, no reader knows its format, or the reader rejects it.
    """
    if zarr_scan.is_zarr(path):
        return zarr_scan.read(path)
    if not path.is_file():
        raise InputError("scan", path.name, f"a file: {FORMATS}", "check the path")
    if _starts_with(path, b"PK"):  # a ZIP archive, as an NPZ is
        return npz_scan.read(path)
    if _starts_with(path, HDF5):
        with h5.opened(path) as opened:
            for fits, read in HDF5_READERS:
                if fits(opened):
                    return read(path, opened)
            names = sorted(opened)[:8]
        raise InputError(f"layout of {path.name}", names, FORMATS, "convert it with the tools of its beamline")
    raise InputError("scan", path.name, FORMATS, "convert it with the tools of its beamline")

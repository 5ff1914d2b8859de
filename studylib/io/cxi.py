"""Read and write CXI, the exchange format of beamlines and coherent-imaging toolkits.

References
----------
Maia, The Coherent X-ray Imaging Data Bank, Nature Methods 9, 854 (2012); CXI file format, version 1.6.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError
from studylib.io import h5
from studylib.io.files import writing
from studylib.measured import PLANCK_EV_M, Measured, are_whole, stack

JOULE_PER_EV = 1.602176634e-19
DETECTOR = "entry_1/instrument_1/detector_1"
SOURCE = "entry_1/instrument_1/source_1"
TRANSLATIONS = ("entry_1/sample_1/geometry_1/translation", "entry_1/data_1/translation")
SIGNAL = 0x1000
"""The only mask bit that does not mark a bad pixel: it says that the pixel has signal above the background."""


def is_cxi(file: h5py.File) -> bool:
    """Return whether an open HDF5 file has the layout of CXI."""
    return isinstance(file.get(DETECTOR), h5py.Group) or "cxi_version" in file


def read(path: Path, file: h5py.File) -> Measured:
    """Read a CXI file.

    Seen from the source, the axes of CXI are x to the left, y up and z along the beam. Its translations are those of
    the sample, so the beam hits the sample at minus the translation. Columns and rows of the detector follow its basis
    vectors, by default to the right and down. The rows and columns of the object follow the same directions.

    Parameters
    ----------
    path
        The file. Patterns are read from it later, when they are used.
    file
        The same file, open.

    Returns
    -------
    Measured
        Scan with positions in metres, x along columns and y along rows.

    Raises
    ------
    InputError
        A member has another type or shape than CXI prescribes, or translations are not finite.
    """
    found = h5.patterns(path, file, f"{DETECTOR}/data") or h5.patterns(path, file, "entry_1/data_1/data")
    n = found.shape[0] if found else None
    pitch = _pitch(file)
    translation = next((t for name in TRANSLATIONS if (t := h5.member(file, name)) is not None), None)
    where = None if translation is None else _on_the_object(translation, _axes(file), path, n)
    mask, dark = h5.member(file, f"{DETECTOR}/mask"), _dark(file, path)
    probe = _complex(file, f"{SOURCE}/illumination", path)
    joule, wavelength = h5.number(file, f"{SOURCE}/energy"), h5.number(file, f"{SOURCE}/wavelength")
    energy = joule / JOULE_PER_EV if joule else PLANCK_EV_M / wavelength if wavelength else None
    image = stack(_complex(file, "entry_1/image_1/data", path))
    remarks = [] if translation is None else ["translations are the sample's: the probe is at minus the translation"]
    if f"{DETECTOR}/basis_vectors" not in file:
        remarks.append("no basis vectors: columns go to the right and rows down, seen from the source")
    if dark is not None:
        remarks.append(
            "the mean of the dark frames is the background: patterns are taken as counted, none is taken off"
        )
    return Measured(
        "CXI", path.name, found, positions_m=where,
        probe=stack(probe),
        object=None if image is None else image[0],
        background=dark,
        mask=None if mask is None else (np.asarray(mask).astype(np.uint32) & ~np.uint32(SIGNAL)) == 0,
        energy_ev=energy, distance_m=h5.number(file, f"{DETECTOR}/distance"), detector_pixel_m=pitch,
        object_pixel_m=h5.number(file, "entry_1/image_1/pixel_size"), remarks=tuple(remarks),
    )  # fmt: skip


def _dark(file: h5py.File, path: Path) -> NDArray[np.float32] | None:
    """Return the mean of the dark frames in counts, (rows, columns) float32; None if there are none.

    A pixel that is not finite in any frame gets 0.
    """
    name = f"{DETECTOR}/data_dark"
    frames = h5.member(file, name)
    if frames is None:
        return None
    if frames.dtype.kind not in "fiu" or frames.ndim < 2 or (frames < 0).any():
        told = f"{frames.dtype} {frames.shape}, least {np.nanmin(np.real(frames)):.3g}"
        raise InputError(f"{name} in {path.name}", told, "dark frames (frames, rows, columns) of counts >= 0")
    frames = frames.reshape(-1, *frames.shape[-2:]).astype(np.float64)
    known = np.isfinite(frames)  # a pixel may be missing in some frames only
    total = np.where(known, frames, 0).sum(axis=0)
    return (total / np.maximum(known.sum(axis=0), 1)).astype(np.float32)


def _pitch(file: h5py.File) -> tuple[float, float] | None:
    """Return the detector pitch along columns and along rows, metres; one that is missing equals the other."""
    x, y = (h5.number(file, f"{DETECTOR}/{axis}_pixel_size") for axis in "xy")
    return (x or y, y or x) if x or y else None  # type: ignore[return-value]


def _axes(file: h5py.File) -> NDArray[np.float64]:
    """Return the unit vectors along which columns and rows are counted, (columns and rows, xyz), in the axes of CXI."""
    basis = h5.member(file, f"{DETECTOR}/basis_vectors")
    if basis is None or np.size(basis) != 6:
        # Columns to the right are -x, since x points to the left; rows down are -y.
        return np.array([[-1.0, 0, 0], [0, -1.0, 0]])
    basis = np.asarray(basis, dtype=np.float64)
    # The first vector leads from one row to the next, the second from one column to the next.
    rows, columns = basis if basis.shape == (2, 3) else basis.T
    return np.stack([columns / np.linalg.norm(columns), rows / np.linalg.norm(rows)])


def _on_the_object(translation: NDArray, axes: NDArray, path: Path, n: int | None) -> NDArray[np.float64]:
    """Return where the beam hits the object.

    Parameters
    ----------
    translation : (positions, 2 or 3)
        Translations of the sample in the axes of CXI, metres.
    axes : (2, 3) float64
        Unit vectors of columns and rows, from `_axes`.
    path
        The file, for the error message.
    n
        Number of patterns; None where the file holds none.

    Returns
    -------
    (positions, 2) float64, metres, x along columns and y along rows

    Raises
    ------
    InputError
        The shape does not fit, or a value is not finite.
    """
    told = np.asarray(translation, dtype=np.float64)
    if told.ndim != 2 or told.shape[1] not in (2, 3) or (n is not None and len(told) != n):
        expected = f"({n if n is not None else 'positions'}, 3) metres, one a pattern"
        raise InputError(f"translation in {path.name}", told.shape, expected)
    if not np.isfinite(told).all():
        raise InputError(f"translation in {path.name}", "NaN or infinity", "finite metres")
    # The minus sign turns the sample's translation into the place of the beam on the sample.
    return -told @ axes[:, : told.shape[1]].T  # (position, columns and rows)


def _complex(file: h5py.File, name: str, path: Path) -> NDArray[np.complex64] | None:
    """Return a complex image or a stack of them, two or three axes, complex64; None if there is no such member."""
    array = h5.member(file, name)
    if array is None:
        return None
    if array.dtype.kind != "c" or array.ndim not in (2, 3):
        raise InputError(f"{name} in {path.name}", f"{array.dtype} {array.shape}", "a complex image, or several")
    return array.astype(np.complex64)


def write(path: Path, told: Measured) -> Path:
    """Write what is known of a scan or of its reconstruction as CXI, whole or not at all, and return the path.

    Parameters
    ----------
    path, told
        The file to write, and the scan. Positions are written in metres, or left out where they are not known.

    Raises
    ------
    InputError
        Energy, distance or detector pitch are not known; CXI is in metres and needs them.
    """
    for name in ("energy_ev", "distance_m", "detector_pixel_m"):
        if getattr(told, name) is None:
            raise InputError(name, None, "the value of the experiment: CXI is in metres", f"give {name}")
    pixel, where = told.pixel_m, told.positions_m
    if where is None and told.positions is not None and pixel:  # object pixels to metres
        where = told.positions * pixel
    assert told.energy_ev and told.detector_pixel_m
    with writing(path, "w+b") as file, h5py.File(file, "w") as out:
        out["cxi_version"], out["number_of_entries"] = 160, 1
        detector, source = out.create_group(DETECTOR), out.create_group(SOURCE)
        source["energy"] = told.energy_ev * JOULE_PER_EV
        source["wavelength"] = PLANCK_EV_M / told.energy_ev
        detector["distance"] = told.distance_m
        detector["x_pixel_size"], detector["y_pixel_size"] = told.detector_pixel_m
        x, y = told.detector_pixel_m
        detector["basis_vectors"] = np.array([[0, -x], [-y, 0], [0, 0]])  # (xyz, rows and columns)
        data = out.create_group("entry_1/data_1")
        if told.patterns is not None:
            n = told.patterns.shape[0]
            # Every block decides on the type of all patterns, so that no fraction and no large count is lost.
            whole = all(are_whole(block) and block.max() < 2**32 for block in told.blocks())
            made = detector.create_dataset(
                "data", told.patterns.shape, "uint32" if whole else "float32", chunks=(1, *told.patterns.shape[1:]),
                compression="gzip", compression_opts=1,
            )  # fmt: skip
            start = 0
            for block in told.blocks():
                made[start : start + len(block)] = np.rint(block) if whole else block
                start += len(block)
            assert start == n
            data["data"] = h5py.SoftLink(f"/{DETECTOR}/data")
        if told.background is not None:
            detector["data_dark"] = told.background
        if told.mask is not None:
            detector["mask"] = np.where(told.mask, 0, 1).astype(np.uint32)
        if where is not None:
            moved = np.concatenate([where, np.zeros((len(where), 1))], axis=1)  # minus (sample) times minus (axes)
            out["entry_1/sample_1/geometry_1/translation"] = moved
            data["translation"] = h5py.SoftLink("/entry_1/sample_1/geometry_1/translation")
        if told.probe is not None:
            source["illumination"] = told.probe
        if told.object is not None:
            image = out.create_group("entry_1/image_1")
            image["data"] = told.object
            image["data_space"] = "real"
            if pixel:
                image["pixel_size"] = pixel
    return path

"""Read and write HDF5 files of ptychodus: products (positions, probe and object) and diffraction data."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError
from studylib.io import h5
from studylib.io.files import writing
from studylib.measured import Measured, stack

PRODUCT = ("probe_position_x_m", "probe_position_y_m", "probe", "object")
ENERGY = ("photon_energy_eV", "probe_energy_eV")
"""Names of the photon energy in ptychodus 1.7 and in earlier versions."""
REMEDY = "write the product again with ptychodus"


def is_product(file: h5py.File) -> bool:
    """Return whether an open HDF5 file has the layout of a product."""
    return all(name in file for name in PRODUCT)


def is_diffraction(file: h5py.File) -> bool:
    """Return whether an open HDF5 file has the layout of ptychodus' diffraction data."""
    return "patterns" in file and "indexes" in file


def read_product(path: Path, file: h5py.File) -> Measured:
    """Read a product, which holds no patterns.

    ptychodus counts positions from the centre of the object, x along columns and y along rows. An object of several
    layers is read as the product of its layers.

    Parameters
    ----------
    path
        The file, for its name.
    file
        The same file, open.

    Returns
    -------
    Measured
        Scan with positions in metres, and in object pixels from the first row and column of the object.

    Raises
    ------
    InputError
        x and y differ in number or are not finite; or probe or object are not complex arrays of two to four axes.
    """
    x, y = (np.asarray(h5.member(file, name), dtype=np.float64) for name in PRODUCT[:2])
    if x.ndim != 1 or x.shape != y.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
        given = f"{x.shape} and {y.shape}"
        raise InputError(f"positions in {path.name}", given, "as many finite x as y", REMEDY)
    probe, image = (_complex(file, name, path) for name in PRODUCT[2:])
    image = image if image.ndim == 2 else np.prod(image, axis=0, dtype=np.complex64)
    energy = next((e for name in ENERGY if (e := _number(file.attrs.get(name)))), None)
    distance = _number(file.attrs.get("detector_object_distance_m"))
    pixel = _number(file["object"].attrs.get("pixel_width_m"))
    centre = [_number(file["object"].attrs.get(f"center_{axis}_m")) or 0.0 for axis in "xy"]
    places = None
    if pixel:
        shape = np.array(image.shape[::-1])  # columns and rows, in the order of x and y
        places = (np.stack([x, y], axis=1) - centre) / pixel + shape / 2
    return Measured(
        "ptychodus product", path.name, positions=places, positions_m=np.stack([x, y], axis=1),
        probe=stack(probe), object=image, energy_ev=energy, distance_m=distance or None,
        object_pixel_m=pixel or None, indexes=h5.member(file, "probe_position_indexes"),
        far_field=bool(file.attrs.get("far_field", True)),
        remarks=("a product holds no patterns: they are in the diffraction file of the same scan",),
    )  # fmt: skip


def read_diffraction(path: Path, file: h5py.File) -> Measured:
    """Read diffraction data, which hold no positions.

    Parameters
    ----------
    path
        The file. Patterns are read from it later, when they are used.
    file
        The same file, open.

    Returns
    -------
    Measured
        Scan with patterns, and the indexes, mask and detector pitch that the file has.

    Raises
    ------
    InputError
        Patterns do not have the axes (positions, rows, columns), or are not real numbers.
    """
    bad, found = h5.member(file, "bad_pixels"), h5.patterns(path, file, "patterns")
    pitch = [_number(file["patterns"].attrs.get(f"detector_pixel_{side}_m")) for side in ("width", "height")]
    return Measured(
        "ptychodus diffraction", path.name, found, mask=None if bad is None else ~np.asarray(bad).astype(bool),
        detector_pixel_m=(pitch[0], pitch[1]) if pitch[0] and pitch[1] else None, indexes=h5.member(file, "indexes"),
        remarks=("diffraction data hold no positions: they are in the product of the same scan",),
    )  # fmt: skip


def _number(value: object) -> float | None:
    """Return an attribute as a finite float; None for everything else."""
    try:
        told = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return told if np.isfinite(told) else None


def _complex(file: h5py.File, name: str, path: Path) -> NDArray[np.complex64]:
    """Return a complex array of two to four axes, the last two (rows, columns), as complex64."""
    array = h5.member(file, name)
    if array is None or array.dtype.kind != "c" or array.ndim not in (2, 3, 4) or 0 in array.shape:
        given = "no data set" if array is None else f"{array.dtype} {array.shape}"
        raise InputError(f"{name} in {path.name}", given, "a complex array of two to four axes", REMEDY)
    return array.astype(np.complex64)


def write_product(path: Path, told: Measured) -> Path:
    """Write positions, probe and object as a product, whole or not at all.

    Parameters
    ----------
    path
        The file to write.
    told
        The scan with its reconstruction; patterns are not written.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        Positions, probe, object or the object pixel are not known.
    """
    needed = {"probe": told.probe, "object": told.object, "positions": told.places, "object pixel": told.pixel_m}
    for name, value in needed.items():
        if value is None:
            raise InputError(name, None, "what a product needs", "give a file that holds a reconstruction")
    assert told.probe is not None and told.object is not None and told.places is not None and told.pixel_m
    rows, columns = told.object.shape
    # (position, x and y), object pixels from the corner, to metres from the centre of the object
    where = (told.places - np.array([columns, rows]) / 2) * told.pixel_m
    with writing(path, "w+b") as file, h5py.File(file, "w") as out:
        out.attrs.update({"name": path.stem, "comments": "", "exposure_time_s": 0.0, "tomography_angle_deg": 0.0})
        # Versions of ptychodus differ in the name of this attribute.
        out.attrs.update({name: 0.0 for name in ("mass_attenuation_m2_kg", "mass_attenuation_m2_per_kg")})
        out.attrs.update({name: told.energy_ev or 0.0 for name in ENERGY})
        out.attrs["far_field"] = told.far_field
        out.attrs["probe_photon_count"] = float(np.sum(np.abs(told.probe.astype(np.complex128)) ** 2))
        out.attrs["detector_object_distance_m"] = told.distance_m or 0.0
        out["probe_position_indexes"] = np.arange(len(where))
        out["probe_position_x_m"], out["probe_position_y_m"] = where[:, 0], where[:, 1]
        # (coherent mode, incoherent mode, rows, columns) and (layer, rows, columns)
        out["probe"], out["object"] = told.probe[None], told.object[None]
        for name in ("probe", "object"):
            out[name].attrs.update({"pixel_width_m": told.pixel_m, "pixel_height_m": told.pixel_m})
        out["object"].attrs.update({"center_x_m": 0.0, "center_y_m": 0.0})
        out["object_layer_spacing_m"] = np.zeros(0)
        out["loss_epochs"], out["loss_values"] = np.zeros(0, dtype=np.int64), np.zeros(0)
    return path

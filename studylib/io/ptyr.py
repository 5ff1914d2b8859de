"""Read reconstructions of ptypy (.ptyr): probe, object and, where recorded, positions."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError
from studylib.io import h5
from studylib.measured import Measured


def is_ptyr(file: h5py.File) -> bool:
    """Return whether an open HDF5 file has the layout of a reconstruction of ptypy."""
    return isinstance(file.get("content/obj"), h5py.Group)


def read(path: Path, file: h5py.File) -> Measured:
    """Read the first object and the first probe.

    Parameters
    ----------
    path
        The file, for its name.
    file
        The same file, open.

    Returns
    -------
    Measured
        Without patterns. Of an object with several layers it holds the first one, of a probe all modes.

    Raises
    ------
    InputError
        There is no complex object, or the probe is not complex.
    """
    # ptypy stores each object and each probe under a name of its own; the first name in alphabetical order is read.
    image, pixel, names = _storage(file, "content/obj", path)
    probe = _storage(file, "content/probe", path)[0] if isinstance(file.get("content/probe"), h5py.Group) else None
    remarks = ["a reconstruction holds no patterns: they are in the .ptyd of the same scan"]
    if len(names) > 1:
        remarks.append(f"{len(names)} objects: {names[0]} was read")
    places = None
    recorded = file.get(f"content/positions/{names[0]}")
    if isinstance(recorded, h5py.Dataset) and pixel:
        origin = np.asarray(file[f"content/obj/{names[0]}/_origin"][()], dtype=np.float64)
        # Metres to object pixels from the corner of the object, and (row, column) to (x, y).
        places = ((h5.value(recorded, file) - origin) / pixel)[:, ::-1]
    return Measured(
        "ptypy reconstruction", path.name, positions=places, probe=probe, object=image[0],
        object_pixel_m=pixel, remarks=tuple(remarks),
    )  # fmt: skip


def _storage(file: h5py.File, where: str, path: Path) -> tuple[NDArray[np.complex64], float | None, list[str]]:
    """Read the first of the images below a group, in the alphabetical order of their names.

    Parameters
    ----------
    file
        An open file.
    where
        The group: content/obj or content/probe.
    path
        The file, for the error message.

    Returns
    -------
    array : (layers or modes, rows, columns) complex64
    pixel
        Side of a pixel, metres; None where the file does not state it.
    names
        Names of all images of the group.

    Raises
    ------
    InputError
        There is no image, or the first one is not a complex array of two or three axes.
    """
    names = sorted(file[where])
    data = file.get(f"{where}/{names[0]}/data") if names else None
    if not isinstance(data, h5py.Dataset) or data.dtype.kind != "c" or data.ndim not in (2, 3):
        given = "nothing" if data is None else str(getattr(data, "dtype", "a group"))
        raise InputError(f"{where} in {path.name}", given, "a complex array (layers, rows, columns)")
    size = file.get(f"{where}/{names[0]}/_psize")
    pixel = float(np.asarray(size[()]).reshape(-1)[0]) if isinstance(size, h5py.Dataset) else None
    array = h5.value(data, file).astype(np.complex64)
    return array.reshape(-1, *array.shape[-2:]), pixel, names

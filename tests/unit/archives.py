"""NPZ files as somebody may bring them: whole, spoiled, or with a header that promises too much."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from studylib import probes
from studylib.errors import InputError
from tests.asymmetric import N, probe, specimen

BASE = {"probeGuess": probe(), "objectGuess": specimen((160, 176))}
SCAN = {
    "diff3d": np.random.default_rng(1).poisson(3.0, (24, N, N)).astype(np.uint16),
    "probeGuess": probe(),
    "xcoords": np.linspace(20.0, 60.0, 24),
    "ycoords": np.linspace(20.0, 70.0, 24)[::-1],
}


def header(shape, dtype="<c8", fortran=False) -> bytes:
    """Return a .npy header that promises an array, and no array."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": fortran, "shape": shape})
    return file.getvalue()


def npy(array, **options) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), **options)
    return file.getvalue()


def archive(path, members, compression=zipfile.ZIP_STORED, prefix=b""):
    """Write members, bytes or arrays, as an archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as out:
        for name, content in members.items():
            with out.open(f"{name}.npy", "w", force_zip64=True) as member:
                member.write(content if isinstance(content, bytes) else npy(content))
    path.write_bytes(prefix + file.getvalue())
    return path


def refused(call, path, message):
    with pytest.raises(InputError, match=message) as told:
        call(path)
    assert "\n" not in str(told.value)


def rewritten(path, **changes):
    with np.load(path) as file:
        members = {name: file[name] for name in file.files}
    for name, value in changes.items():
        if value is None:
            del members[name]
        else:
            members[name] = value
    np.savez(path, **members)
    return path


def saved(tmp_path, image, probe=None):
    path = tmp_path / "base.npz"
    np.savez(path, probeGuess=probes.zone_plate_probe(64) if probe is None else probe, objectGuess=image)
    return path

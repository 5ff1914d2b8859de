"""HDF5: datasets that unpack to too much, and content in other files."""

from __future__ import annotations

import io

import h5py
import numpy as np
import pytest

from studylib.errors import InputError
from studylib.io.readers import open_scan
from tests.asymmetric import probe
from tests.unit.archives import refused
from tests.unit.foreign import FORMATS


def hdf5(path, **datasets):
    with h5py.File(path, "w") as file:
        for name, options in datasets.items():
            file.create_dataset(name.replace("__", "/"), **options)
    return path


def test_a_dataset_that_unpacks_to_much_more_than_it_is_is_refused(tmp_path):
    """Chunks that were never written take no byte in the file, and read as zeros."""
    huge = {"shape": (30_000, 30_000), "dtype": "c8", "chunks": (100, 100)}
    path = hdf5(
        tmp_path / "a.h5", object=huge, probe={"data": probe()[None]},
        probe_position_x_m={"data": np.arange(4.0)}, probe_position_y_m={"data": np.arange(4.0)},
    )  # fmt: skip
    refused(open_scan, path, "/object in a.h5.*6,866 MiB of 0.0 MiB")


@pytest.fixture
def linked(tmp_path):
    """The patterns of a product's diffraction file moved to another file: beside it, and in another folder."""
    content = (FORMATS / "ptychodus_diffraction.h5").read_bytes()
    for folder in ("here", "elsewhere"):
        (tmp_path / folder).mkdir()
        with h5py.File(tmp_path / folder / "data.h5", "w") as file, h5py.File(io.BytesIO(content)) as given:
            file["deep/frames"] = given["patterns"][()]
    (tmp_path / "here/scan.h5").write_bytes(content)
    return tmp_path


def link(kind: str, file: h5py.File, name: str) -> None:
    attributes, shape, dtype = dict(file["patterns"].attrs), file["patterns"].shape, file["patterns"].dtype
    del file["patterns"]
    if kind == "external link":
        file["patterns"] = h5py.ExternalLink(name, "deep/frames")
        return
    if kind == "virtual":
        layout = h5py.VirtualLayout(shape, dtype)
        layout[:] = h5py.VirtualSource(name, "deep/frames", shape)
        made = file.create_virtual_dataset("patterns", layout)
    else:
        made = file.create_dataset("patterns", shape, dtype, external=[(name, 0, h5py.h5f.UNLIMITED)])
    made.attrs.update(attributes)


@pytest.mark.parametrize("kind", ["external link", "virtual"])
def test_what_a_detector_wrote_into_files_beside_is_read_and_what_lies_elsewhere_is_not(linked, kind):
    path = linked / "here/scan.h5"
    expected = open_scan(path).counts(slice(0, 3))
    with h5py.File(path, "r+") as file:
        link(kind, file, "data.h5")
    np.testing.assert_array_equal(open_scan(path).counts(slice(0, 3)), expected)
    with h5py.File(path, "r+") as file:
        link(kind, file, "../elsewhere/data.h5")
    with pytest.raises(InputError, match=r"content in data.h5 of another folder.*files beside it"):
        open_scan(path)


def test_content_in_raw_files_is_refused(linked):
    path = linked / "here/scan.h5"
    with h5py.File(path, "r+") as file:
        link("raw", file, "/etc/hostname")
    with pytest.raises(InputError, match="its content in raw files"):
        open_scan(path)

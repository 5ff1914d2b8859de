"""Files that come in: what is refused before any work, in one line and without the memory that it would take."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

from studylib.errors import InputError
from studylib.io import apart
from studylib.io.npz import map_member, read_members
from studylib.io.readers import open_scan
from studylib.run import measured
from studylib.samples import load_base
from tests.asymmetric import N, probe, specimen

FORMATS = Path(__file__).resolve().parents[1] / "formats"
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


def test_a_header_that_promises_more_than_the_file_holds_takes_no_memory(tmp_path):
    """A hundred bytes, 7 GiB by its header: np.load would ask for them before it reads."""
    path = archive(tmp_path / "a.npz", BASE | {"objectGuess": header((30_000, 30_000))})
    before = psutil.Process().memory_info().rss
    refused(load_base, path, "objectGuess in a.npz.*header says")
    assert psutil.Process().memory_info().rss - before < 2**26


def test_an_archive_that_unpacks_to_much_more_than_it_is_is_refused_before_it_is_unpacked(tmp_path):
    bomb = header((12_000, 12_000)) + bytes(12_000 * 12_000 * 8)
    path = archive(tmp_path / "b.npz", BASE | {"objectGuess": bomb}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**22
    refused(load_base, path, r"objectGuess in b.npz.*1,09\d MiB")


def test_what_compresses_as_measured_patterns_do_is_read(tmp_path):
    """Sparse counts are a hundredth of their size in an archive."""
    counts = np.zeros((4096, N, N), np.uint16)
    counts[:, N // 2, N // 2] = 5
    members = SCAN | {"diff3d": counts, "xcoords": np.arange(4096.0), "ycoords": np.arange(4096.0)}
    path = archive(tmp_path / "c.npz", members, zipfile.ZIP_DEFLATED)
    assert open_scan(path).patterns.shape == counts.shape


def test_an_encrypted_archive_and_an_unknown_compression_are_refused(tmp_path):
    content = bytearray(archive(tmp_path / "d.npz", BASE).read_bytes())
    for offset, value, message in ((8, 1, "encrypted"), (10, 99, "compression")):
        changed = bytearray(content)
        start = 0
        while (start := changed.find(b"PK\x01\x02", start)) >= 0:
            struct.pack_into("<H", changed, start + offset, value)
            start += 4
        (tmp_path / "d.npz").write_bytes(changed)
        refused(load_base, tmp_path / "d.npz", message)


def test_an_archive_behind_other_bytes_is_read_where_it_lies(tmp_path):
    path = archive(tmp_path / "e.npz", SCAN, prefix=b"PK" + bytes(1000))
    found = map_member(path, "diff3d", lambda block: None, "")
    np.testing.assert_array_equal(found, SCAN["diff3d"])


def test_a_member_in_another_folder_is_none(tmp_path):
    path = archive(tmp_path / "f.npz", {f"../{name}": array for name, array in BASE.items()})
    refused(load_base, path, "probeGuess in f.npz.*missing")


def test_fortran_order_and_big_endian_numbers_are_read_as_what_they_are(tmp_path):
    image = BASE["objectGuess"]
    for other in (np.asfortranarray(image), image.astype(">c8"), image.astype(np.complex128)):
        path = archive(tmp_path / "g.npz", BASE | {"objectGuess": other})
        found = load_base(path).object
        np.testing.assert_array_equal(found, image)
        assert found.dtype == np.complex64 and found.dtype.isnative


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"probeGuess": np.zeros((N, N), np.complex64)}, "probeGuess.*zeros"),
        ({"probeGuess": probe() * np.nan}, "probeGuess.*NaN"),
        ({"probeGuess": probe().astype(np.complex128) * 1e300}, "probeGuess.*range"),
        ({"objectGuess": specimen((160, 176)).astype(np.complex128) * 1e200}, "objectGuess.*range"),
        ({"probeGuess": probe() * np.float32(1e-30)}, "probeGuess.*range"),
        ({"objectGuess": np.ones((160, 176), np.complex64)}, "objectGuess"),
        ({"objectGuess": np.zeros((160, 176), np.complex64)}, "objectGuess.*zeros"),
        ({"objectGuess": np.concatenate([specimen((80, 176)), np.zeros((80, 176))]).astype(np.complex64)}, "half"),
        ({"objectGuess": np.abs(specimen((160, 176)))}, "objectGuess.*complex"),
        ({"objectGuess": specimen((160, 176))[None]}, "objectGuess.*dimensions"),
        ({"objectGuess": specimen((60, 176))}, "object"),
        ({"probeGuess": np.roll(probe(), N // 2, axis=0)}, "probeGuess"),
        ({"objectGuess": b"no array"}, "objectGuess.*unreadable"),
        ({"objectGuess": header((160, -176))}, "objectGuess"),
        ({"objectGuess": header((160, 176), "|O") + bytes(100)}, "objectGuess.*pickled"),
        ({"objectGuess": header((160, 176), "<M8[s]") + bytes(8 * 160 * 176)}, "objectGuess.*complex"),
    ],
)  # fmt: skip
def test_a_base_that_cannot_be_measured_is_refused(tmp_path, changed, message):
    refused(load_base, archive(tmp_path / "base.npz", BASE | changed), message)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"diff3d": SCAN["diff3d"].astype(np.float32) * np.nan}, "diff3d.*NaN"),
        ({"diff3d": SCAN["diff3d"].astype(np.float64) - 5}, "diff3d.*>= 0"),
        ({"diff3d": SCAN["diff3d"] + 1e300}, "diff3d.*range"),
        ({"xcoords": np.full(24, np.inf)}, "xcoords"),
        ({"xcoords": np.arange(24.0) * 1e9}, "positions in"),
        ({"xcoords": np.arange(23.0)}, "xcoords"),
        ({"xcoords": np.array(["a"] * 24)}, "xcoords"),
        ({"mask": np.array("all")}, "mask"),
        ({"mask": np.zeros((N, N), bool)}, "mask.*trusted"),
        ({"probeGuess": np.zeros((N, N), np.complex64)}, "probe in.*zeros"),
        ({"probeGuess": np.full((N, N), np.nan, np.complex64)}, "probe in.*NaN"),
        ({"probeGuess": probe()[0]}, "probe in"),
        ({"background": np.full((N, N), -1.0)}, "background"),
        ({"_metadata": np.array(json.dumps({"intensity_scale": "x", "remarks": 7}))}, None),
        ({"_metadata": np.arange(4)}, None),
        ({"_metadata": np.array("[" * 100_000)}, None),
    ],
)
def test_a_scan_that_is_none_is_refused_and_strange_metadata_do_not_matter(tmp_path, changed, message):
    path = archive(tmp_path / "scan.npz", SCAN | changed)
    if message is None:
        assert open_scan(path).patterns.shape == (24, N, N)
    else:
        refused(open_scan, path, message)


def test_every_member_is_checked_by_its_sum(tmp_path):
    path = archive(tmp_path / "h.npz", BASE)
    content = bytearray(path.read_bytes())
    content[content.find(b"NUMPY") + 200] ^= 1
    path.write_bytes(content)
    refused(lambda p: read_members(p, ("probeGuess", "objectGuess"), ""), path, "unreadable")


def test_patterns_without_a_count_are_refused_for_a_study(tmp_path):
    path = archive(tmp_path / "dark.npz", SCAN | {"diff3d": np.zeros_like(SCAN["diff3d"])})
    refused(lambda p: measured.check(open_scan(p)), path, "no count")


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


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed .SIGSEGV"),
        ("raise MemoryError('no room')", "gave up: MemoryError: no room"),
        ("import time; time.sleep(60)", "not read within 0.5 s"),
    ],
)
def test_a_library_that_crashes_is_told_in_words(tmp_path, code, message):
    refused(
        lambda path: apart.survives(["-c", code], path, seconds=0.5 if "sleep" in code else 60),
        tmp_path / "a.h5",
        message,
    )


def test_hdf5_is_read_in_a_process_of_its_own_first(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(apart, "survives", lambda arguments, path: seen.append(path))
    open_scan(FORMATS / "cdtools.cxi")
    open_scan(archive(tmp_path / "a.npz", SCAN))
    assert seen == [FORMATS / "cdtools.cxi"]


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

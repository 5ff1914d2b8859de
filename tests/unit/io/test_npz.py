"""Archives that come in: what is refused before any work, in one line and without the memory that it would take."""

from __future__ import annotations

import struct
import zipfile

import numpy as np
import psutil

from studylib.io.npz import map_member, read_members
from studylib.io.readers import open_scan
from studylib.samples import load_base
from tests.asymmetric import N
from tests.unit.archives import BASE, SCAN, archive, header, refused


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


def test_every_member_is_checked_by_its_sum(tmp_path):
    path = archive(tmp_path / "h.npz", BASE)
    content = bytearray(path.read_bytes())
    content[content.find(b"NUMPY") + 200] ^= 1
    path.write_bytes(content)
    refused(lambda p: read_members(p, ("probeGuess", "objectGuess"), ""), path, "unreadable")

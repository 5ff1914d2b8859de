from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from studylib.errors import InputError
from studylib.io import dataset
from tests.asymmetric import OBJECT
from tests.unit.archives import rewritten


@pytest.fixture
def saved(tmp_path, scan, specimen):
    return dataset.save(tmp_path / "train.npz", scan, specimen.object)


def test_round_trip_and_identical_bytes(saved, scan, specimen, tmp_path):
    again = dataset.load_scan(saved)
    np.testing.assert_array_equal(again.diffraction, scan.diffraction)
    np.testing.assert_array_equal(again.positions, scan.positions)
    np.testing.assert_array_equal(dataset.load_truth(saved), specimen.object)
    other = dataset.save(tmp_path / "other.npz", scan, specimen.object)
    assert other.read_bytes() == saved.read_bytes()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("diffraction", lambda a: None, "got 'missing'"),
        ("diffraction", lambda a: a.astype(np.uint16), "expected float32"),
        ("diffraction", lambda a: a[:, :, :32], "with the probe's N"),
        ("diffraction", lambda a: a * np.nan, "NaN or infinity"),
        ("diffraction", lambda a: -a - 1, "amplitudes >= 0"),
        ("probeGuess", np.abs, "expected complex64"),
        ("xcoords", lambda a: a[:-3], "one a pattern"),
        ("ycoords", lambda a: a.astype(np.float32), "expected float64"),
        ("_metadata", lambda a: np.array("{"), "a JSON object"),
        ("_metadata", lambda a: np.array(json.dumps({"schema": "DATA-000"})), "schema DATA-001"),
        ("probeGuess", lambda a: np.array([{"a": 1}], dtype=object), "not pickled"),
    ],
)
def test_a_damaged_data_set_is_one_clear_line(saved, name, change, message):
    with np.load(saved) as file:
        changed = change(file[name])
    with pytest.raises(InputError, match=message) as caught:
        dataset.load_scan(rewritten(saved, **{name: changed}))
    text = str(caught.value)
    assert "\n" not in text and name in text and "fix: " in text


def test_patterns_are_mapped_not_read(saved, scan):
    again = dataset.load_scan(saved)
    assert isinstance(again.diffraction, np.memmap) and not again.diffraction.flags.writeable
    np.testing.assert_array_equal(again.take(np.array([5, 2])).counts, scan.counts[[5, 2]])


def test_a_compressed_file_is_read(saved, scan):
    with np.load(saved) as file:
        members = {name: file[name] for name in file.files}
    np.savez_compressed(saved, **members)
    np.testing.assert_array_equal(dataset.load_scan(saved).diffraction, scan.diffraction)


def test_a_flipped_bit_is_found_before_it_is_used(saved):
    content = bytearray(saved.read_bytes())
    content[1_000_000] ^= 1  # within the patterns: still finite numbers
    saved.write_bytes(content)
    with pytest.raises(InputError, match="CRC"):
        dataset.load_scan(saved)


def test_a_cut_off_file_is_one_clear_line(saved):
    saved.write_bytes(saved.read_bytes()[:1000])
    with pytest.raises(InputError, match="a readable NPZ"):
        dataset.load_scan(saved)


def test_a_mask_is_saved_with_the_data_set(tmp_path, masked):
    from studylib.io import dataset

    scan = replace(masked[0], metadata=masked[0].metadata | {"object_shape": list(OBJECT.shape)})
    dataset.save(tmp_path / "scan.npz", scan, OBJECT)
    np.testing.assert_array_equal(dataset.load_scan(tmp_path / "scan.npz").mask, masked[0].mask)

"""A shorter exposure of a measured scan: exact thinning, and an independent rest."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from studylib.errors import InputError
from studylib.measured_condition import half, shorter
from studylib.physics import forward
from tests.asymmetric import OBJECT, N, scan_of
from tests.unit.conftest import DOSE


@pytest.fixture(scope="module")
def scan():
    return scan_of(DOSE)


def test_every_count_goes_to_one_of_three_and_none_is_lost(scan, exposure):
    parts = exposure.scan.counts, exposure.scan.held.astype(np.float32), exposure.rest.counts
    np.testing.assert_array_equal(sum(parts), scan.counts)
    means = [part.sum(axis=(1, 2)).mean() for part in parts]
    mean = scan.counts.sum(axis=(1, 2)).mean()
    assert means[0] == pytest.approx(1_000, rel=0.02) and means[1] == pytest.approx(100, rel=0.05)
    assert exposure.scan.held_share == pytest.approx(0.1) and sum(means) == pytest.approx(mean, rel=1e-6)


def test_it_is_what_a_shorter_exposure_would_have_counted(scan, exposure):
    """At the true object each part misses what is expected of it by chi-square 1, its probe weaker in the same way."""
    for part in (exposure.scan, exposure.rest):
        expected = np.concatenate(list(forward.expected_counts(OBJECT, part.probe, part.positions)))
        assert np.sum((part.counts - expected) ** 2) / expected.sum() == pytest.approx(1, abs=0.03)
    assert exposure.scan.photons == pytest.approx(1_000, rel=0.01) and exposure.scan.metadata["dose"] == 1_000


def test_a_large_scan_is_divided_on_the_disk_with_the_same_numbers(scan, exposure, monkeypatch):
    monkeypatch.setattr("studylib.machine.HELD", 2**16)
    again = shorter(scan, 1_000, seed=3)
    for mine, held in ((again.scan, exposure.scan), (again.rest, exposure.rest)):
        assert isinstance(mine.diffraction, np.memmap)
        np.testing.assert_array_equal(mine.diffraction, held.diffraction)
    np.testing.assert_array_equal(again.scan.held, exposure.scan.held)
    monkeypatch.setattr("studylib.machine.shutil.disk_usage", lambda _: SimpleNamespace(free=2**20))
    with pytest.raises(InputError, match=r"counts.*takes about \d+ MiB, and 1 MiB are free.*TMPDIR"):
        shorter(scan, 1_000, seed=3)


def test_the_parts_are_independent(scan, exposure):
    """Counts that share their expectation only: what noise is left in one says nothing of the other's."""
    a, b = exposure.scan, exposure.rest
    expected = [np.concatenate(list(forward.expected_counts(OBJECT, p.probe, p.positions))) for p in (a, b)]
    lit = expected[0] > 0.05
    left = [((p.counts - lam) / np.sqrt(lam))[lit] for p, lam in zip((a, b), expected, strict=True)]
    assert abs(np.corrcoef(*left)[0, 1]) < 3 / np.sqrt(lit.sum())
    again = shorter(scan, 1_000, seed=3)
    np.testing.assert_array_equal(again.scan.diffraction, a.diffraction)
    assert not np.array_equal(shorter(scan, 1_000, seed=4).scan.diffraction, a.diffraction)


def test_every_exposure_comes_from_one_half_of_the_counts(scan):
    """So an image of the other half has seen no photon of any exposure, and every reference may start from it."""
    one, other = (half(scan, 3, which).counts for which in (0, 1))
    np.testing.assert_array_equal(one + other, scan.counts)
    assert one.sum() / scan.counts.sum() == pytest.approx(0.5, abs=0.01)
    for dose in (1_000, 8_000):
        told = shorter(scan, dose, seed=3)
        assert (told.scan.counts + told.scan.held <= one).all() and (told.rest.counts >= other).all()


def test_blocks_have_streams_of_their_own(scan, monkeypatch):
    """Equal patterns are not divided equally, and a scan is divided the same however long it is."""
    same = replace(scan, diffraction=np.repeat(scan.diffraction[:1], len(scan.positions), axis=0))
    monkeypatch.setattr("studylib.measured_condition.BLOCK", 40)
    told = shorter(same, 1_000, seed=3)
    for part in (told.scan, told.rest):
        assert len(np.unique(part.diffraction, axis=0)) == len(scan.positions)
    few = half(same.take(slice(0, 80)), 3, 0)
    np.testing.assert_array_equal(few.diffraction, half(same, 3, 0).diffraction[:80])


def test_a_mask_goes_with_all_parts(scan):
    mask = np.ones((N, N), dtype=bool)
    mask[12:16, 16] = False
    told = shorter(replace(scan, mask=mask), 1_000, seed=3)
    for part in (told.scan, told.rest):
        np.testing.assert_array_equal(part.mask, mask)
        assert not part.counts[:, ~mask].any()


def test_more_than_half_of_the_counts_is_refused(scan):
    """The reference comes from the rest: it must not be the noisier of the two."""
    with pytest.raises(InputError, match="half"):
        shorter(scan, 11_000, seed=3)

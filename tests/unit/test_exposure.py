"""A shorter exposure of a measured scan: exact thinning, an independent rest, and judgement without truth."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from studylib.errors import InputError
from studylib.io.writers import write_scan
from studylib.judge import consistency, register, scores
from studylib.measured import Measured
from studylib.measured_condition import half, shorter
from studylib.physics import forward
from studylib.physics.stitch import illumination, scanned_box
from studylib.run.measured import check, condition
from tests.asymmetric import OBJECT, N, scan_of

DOSE = 20_000


@pytest.fixture(scope="module")
def scan():
    return scan_of(DOSE)


@pytest.fixture(scope="module")
def exposure(scan):
    return shorter(scan, 1_000, seed=3)


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


def test_positions_of_a_large_scan_are_taken_block_by_block(scan, exposure, monkeypatch):
    some = np.array([7, 3, 3, 90, 12])
    held = exposure.scan.take(some)
    monkeypatch.setattr("studylib.machine.HELD", 2**12)
    taken = exposure.scan.take(some)
    assert isinstance(taken.diffraction, np.memmap) and isinstance(taken.held, np.memmap)
    np.testing.assert_array_equal(taken.diffraction, held.diffraction)
    np.testing.assert_array_equal(taken.held, held.held)


def test_a_measured_scan_is_read_block_by_block_with_the_same_numbers(scan, monkeypatch):
    measured = Measured("test", "test", scan.counts, positions=scan.positions, probe=scan.probe[None])
    whole, some = measured.scan(), measured.scan(np.array([5, 2, 40]))
    amplitudes = whole.diffraction[[5, 2, 40]] * whole.scale
    np.testing.assert_allclose(amplitudes, some.diffraction * some.scale, rtol=1e-6)
    monkeypatch.setattr("studylib.machine.HELD", 2**16)
    monkeypatch.setattr("studylib.measured.BLOCK_BYTES", 7 * 8 * N**2)
    parts = measured.scan()
    assert isinstance(parts.diffraction, np.memmap) and parts.metadata == whole.metadata
    np.testing.assert_array_equal(parts.diffraction, whole.diffraction)
    np.testing.assert_array_equal(parts.probe, whole.probe)


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


def test_without_truth_an_image_is_judged_by_what_it_explains(scan):
    told = consistency.measures(OBJECT, replace(scan, held=scan.counts.astype(np.uint32), held_share=1.0))
    assert told.chi_square == pytest.approx(1, abs=0.03) and 0 < told.r_factor < 0.5 and told.pearson > 0.9
    wrong = consistency.measures(OBJECT.conj(), replace(scan, held=scan.counts.astype(np.uint32), held_share=1.0))
    assert wrong.chi_square > 2 * told.chi_square and wrong.r_factor > told.r_factor and wrong.pearson < told.pearson


def test_patterns_without_noise_are_explained_in_full():
    clean = scan_of(10_000_000, noise=False)
    told = consistency.measures(OBJECT, replace(clean, held=np.rint(clean.counts).astype(np.uint32), held_share=1.0))
    assert told.r_factor < 0.01 and told.pearson > 0.9999 and told.gain.per_pattern > 0


def test_the_reference_is_where_the_solver_ends_and_not_where_its_first_round_does(tmp_path):
    """After one round slow structure is missing (0.991 here): an arm that lacks it too would look the better for it."""
    told = scan_of(200_000, step=2.7)
    measured = Measured("test", "test", told.counts, positions=told.positions, probe=told.probe[None])
    path = write_scan(tmp_path / "scan.npz", measured)
    np.savez(tmp_path / "probe.npz", probeGuess=measured.scan().probe, _told="as in the file")
    np.savez(tmp_path / "half.npz", objectGuess=np.ones(told.shape, np.complex64), _seed=99)
    scans, reference, _ = condition(path, tmp_path / "probe.npz", tmp_path / "half.npz", 1_000, seed=3)
    scan = scans["test"]
    light = illumination(scan.probe, scan.positions, scan.shape)
    box = scores.scored_box(light, scanned_box(scan.positions)).box.slices
    truth = np.pad(OBJECT, [(1, 0), (1, 0)])[box]  # a scan that is read has its own frame, a pixel larger here
    image = register.apply_gauge(reference[box], register.fit_gauge(reference[box], truth, light[box]))
    told, _ = scores.score_image(image, truth, 1.0, np.angle(truth))
    assert told["phase"]["ms_ssim"] > 0.999 and told["phase"]["mae"] < 0.005


def test_a_scan_that_does_not_fit_on_the_disk_is_refused_with_the_figure(scan, monkeypatch):
    monkeypatch.setattr("studylib.machine.HELD", 2**16)
    monkeypatch.setattr("studylib.machine.shutil.disk_usage", lambda _: SimpleNamespace(free=2**20))
    measured = Measured("NPZ", "scan.npz", scan.counts, positions=scan.positions - N / 2, probe=scan.probe[None])
    with pytest.raises(InputError, match=r"patterns of scan.npz: got '270 patterns of 32 x 32 px'.* 4 MiB, and 1 MiB"):
        check(measured)

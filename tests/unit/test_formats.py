"""Measured scans in the field's formats: files that other packages wrote (tests/formats), and files that they read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from studylib import describe
from studylib.errors import InputError
from studylib.io.readers import open_scan
from studylib.io.writers import write_scan
from studylib.measured import Measured
from studylib.physics import forward
from studylib.run.measured import check
from tests import asymmetric
from tests.conftest import studylib

FORMATS = Path(__file__).resolve().parents[1] / "formats"
DATA = Path(__file__).resolve().parents[3] / "shared/data"
EXPERIMENT = {"energy_ev": 8_800.0, "distance_m": 1.9, "detector_pixel_m": (75e-6, 75e-6)}


def misfit(counts: np.ndarray, probe: np.ndarray, positions: np.ndarray) -> float:
    """Return sum (n - lambda)^2 / sum lambda at the true object: 1 for photons, far more in a wrong frame."""
    expected = np.concatenate(list(forward.expected_counts(asymmetric.OBJECT, probe, positions)))
    return float(np.sum((counts - expected) ** 2) / np.sum(expected))


def truth():
    scan = asymmetric.scan_of(20_000)
    return scan.take(np.arange(0, len(scan.positions), 7))


@pytest.fixture
def measured() -> Measured:
    scan = truth()
    return Measured(
        "test", "test", scan.counts, positions=scan.positions, probe=scan.probe[None], object=asymmetric.OBJECT,
        mask=np.arange(asymmetric.N**2).reshape(asymmetric.N, -1) != 7, **EXPERIMENT,
    )  # fmt: skip


def test_cdtools_and_the_study_mean_the_same_by_a_cxi_file():
    """Patterns that cdtools simulated fit where the reader puts them, and nowhere else: no symmetry hides a flip."""
    read = open_scan(FORMATS / "cdtools.cxi")
    counts, where = read.counts(slice(None)), read.places + asymmetric.N / 2
    np.testing.assert_allclose(where, truth().positions, atol=1e-2)
    assert misfit(counts, truth().probe, where) == pytest.approx(1, abs=0.1)
    middle = where.mean(axis=0)
    for wrong in (2 * middle - where, where[:, ::-1] - middle[::-1] + middle, where * [-1, 1] + [2 * middle[0], 0]):
        assert misfit(counts, truth().probe, np.clip(wrong, 16, 96)) > 2
    assert not read.mask[0, 5] and read.mask.sum() == asymmetric.N**2 - 1
    assert read.energy_ev == pytest.approx(8_800, rel=1e-5) and read.distance_m == pytest.approx(1.9)


@pytest.mark.parametrize("first", ["product", "diffraction"])
def test_product_and_diffraction_of_ptychodus_meet_by_their_indexes(first):
    """The patterns are written in another order than the positions."""
    names = [f"ptychodus_{name}.h5" for name in ("product", "diffraction")]
    read = open_scan(*(FORMATS / name for name in (names if first == "product" else names[::-1])))
    np.testing.assert_array_equal(read.object, asymmetric.OBJECT)
    assert misfit(read.counts(slice(None)), read.probe[0], read.places) == pytest.approx(1, abs=0.05)
    assert not read.mask[0, 5] and read.mask.sum() == asymmetric.N**2 - 1 and not read.missing()


def test_a_reconstruction_of_ptypy_is_read():
    read = open_scan(FORMATS / "ptypy.ptyr")
    np.testing.assert_array_equal(read.object, asymmetric.OBJECT)
    np.testing.assert_array_equal(read.probe[0], truth().probe)
    np.testing.assert_allclose(read.places, truth().positions, atol=1e-6)
    assert read.patterns is None and "patterns" in read.missing()


@pytest.mark.parametrize("order", ["first", "last"])
def test_counts_of_the_fly64_kind_are_read_in_either_order(tmp_path, order):
    scan = truth()
    counts = scan.counts.astype(np.uint16)
    stored = counts if order == "first" else np.ascontiguousarray(np.moveaxis(counts, 0, 2))
    x, y = scan.positions.T
    np.savez(tmp_path / "fly.npz", diff3d=stored, probeGuess=scan.probe, xcoords=x, ycoords=y)
    read = open_scan(tmp_path / "fly.npz")
    np.testing.assert_array_equal(read.counts(slice(3, 9)), counts[3:9])
    assert describe.count(read).not_raw() == "" and read.patterns.shape == counts.shape


def test_zarr_is_read_as_it_is_used(tmp_path):
    zarr = pytest.importorskip("zarr")
    scan = truth()
    group = zarr.open_group(tmp_path / "scan.zarr", mode="w")
    for name, array in (("diff3d", scan.counts.astype(np.uint16)), ("xcoords", scan.positions[:, 0])):
        group.create_array(name, data=array)
    group.create_array("ycoords", data=scan.positions[:, 1])
    group.create_array("background", data=np.full((asymmetric.N,) * 2, 0.5))
    read = open_scan(tmp_path / "scan.zarr")
    assert not isinstance(read.patterns, np.ndarray)
    np.testing.assert_array_equal(read.counts(slice(2, 5)), scan.counts[2:5])
    np.testing.assert_array_equal(read.places, scan.positions)
    np.testing.assert_array_equal(read.background, np.float32(0.5))


@pytest.mark.parametrize("ending", [".npz", ".cxi"])
def test_what_is_written_is_read_again(tmp_path, measured, ending):
    path = write_scan(tmp_path / f"scan{ending}", measured)
    read = open_scan(path)
    np.testing.assert_array_equal(read.counts(slice(None)), measured.patterns)
    np.testing.assert_allclose(read.places, measured.positions, atol=1e-6)
    for name in ("probe", "object", "mask"):
        np.testing.assert_array_equal(getattr(read, name), getattr(measured, name))
    with pytest.raises(InputError, match="not there yet"):
        write_scan(path, measured)


def dark_of(frames: np.ndarray, path, measured):
    """Return what is read from a CXI file with dark frames."""
    write_scan(path, measured)
    with h5py.File(path, "a") as file:
        file["entry_1/instrument_1/detector_1/data_dark"] = frames
    return open_scan(path)


def test_dark_frames_of_cxi_are_the_background(tmp_path, measured):
    frames = np.random.default_rng(3).poisson(2.0, (5, asymmetric.N, asymmetric.N)).astype(np.float32)
    frames[:, 3, 7] = np.nan
    frames[0, 3, 8] = np.nan
    read = dark_of(frames, tmp_path / "dark.cxi", measured)
    assert read.background.dtype == np.float32 and read.background[3, 7] == 0
    assert read.background[3, 8] == pytest.approx(frames[1:, 3, 8].mean())
    np.testing.assert_allclose(read.background[4:], frames[:, 4:].mean(axis=0), rtol=1e-6)
    assert any("dark" in words for words in read.remarks)
    again = open_scan(write_scan(tmp_path / "again.cxi", read))
    np.testing.assert_array_equal(again.background, read.background)
    assert open_scan(write_scan(tmp_path / "none.cxi", measured)).background is None


@pytest.mark.parametrize("frames", [np.full((4, 9), 1.0), np.full((32, 32), -1.0), np.full((2, 32, 32), 1j)])
def test_dark_frames_that_are_none_are_refused(tmp_path, measured, frames):
    with pytest.raises(InputError, match=r"^(entry_1/instrument_1/detector_1/data_dark|background) in scan\.cxi"):
        dark_of(frames, tmp_path / "scan.cxi", measured)


def test_cdtools_reads_what_was_written(tmp_path, measured):
    pytest.importorskip("cdtools")
    import torch
    from cdtools.datasets import Ptycho2DDataset
    from cdtools.tools.initializers import exit_wave_geometry
    from cdtools.tools.interactions import ptycho_2D_sinc, translations_to_pixel
    from cdtools.tools.propagators import far_field

    read = Ptycho2DDataset.from_cxi(str(write_scan(tmp_path / "scan.cxi", measured)))
    geometry = read.detector_geometry
    basis = exit_wave_geometry(geometry["basis"], (asymmetric.N,) * 2, read.wavelength, geometry["distance"])
    corners = translations_to_pixel(basis, read.translations).float() - asymmetric.N / 2
    waves = far_field(ptycho_2D_sinc(
        torch.tensor(measured.probe[0]), torch.tensor(asymmetric.OBJECT), corners, multiple_modes=False
    ))  # fmt: skip
    expected = (waves.abs() ** 2).numpy()
    counts = read.patterns.numpy()
    # cdtools takes the window below a fraction, the study the nearest: the probe's tails differ.
    assert float(np.sum((counts - expected) ** 2) / np.sum(expected)) == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(read.mask.numpy(), measured.mask)
    dark = np.random.default_rng(5).random((asymmetric.N,) * 2).astype(np.float32)
    read = Ptycho2DDataset.from_cxi(str(write_scan(tmp_path / "dark.cxi", replace(measured, background=dark))))
    np.testing.assert_allclose(read.background.numpy(), dark, rtol=1e-6)


def test_ptychodus_reads_what_was_written(tmp_path, measured):
    io = pytest.importorskip("ptychodus.api.io")
    read = io.load_product(write_scan(tmp_path / "scan.h5", measured))
    np.testing.assert_array_equal(read.object_.get_array()[0], asymmetric.OBJECT)
    pixel = read.object_.get_pixel_geometry().width_m
    assert pixel == pytest.approx(measured.pixel_m) and read.metadata.photon_energy_eV == 8_800
    rows, columns = asymmetric.OBJECT.shape
    x = read.probe_positions.get_coordinates_x_m() / pixel + columns / 2
    y = read.probe_positions.get_coordinates_y_m() / pixel + rows / 2
    np.testing.assert_allclose(np.stack([x, y], axis=1), measured.positions, atol=1e-6)


@pytest.mark.skipif(not DATA.is_dir(), reason="the measured scans are not beside the project")
def test_the_measured_scans_are_described():
    star = open_scan(DATA / "siemens_velociprobe_N128.npz")
    star = describe.describe(star, describe.count(star))
    assert star["patterns"].startswith("516 of 128 x 128") and star["raw counts"].startswith("yes")
    assert star["probe diameter"].startswith("74.8 px") and star["counts a pattern"].startswith("4.612e+05")
    near = open_scan(DATA / "PETRAIII_P25_near_field.cxi")
    told = describe.describe(near, describe.count(near))
    assert told["energy"].startswith("12.66 keV") and told["mask"].startswith("5 of 10000")
    assert any("near field" in note for note in told["notes"])
    with pytest.raises(InputError, match="near field"):
        check(near)
    assert any(note.startswith("probe missing") for note in told["notes"])


def test_counts_that_are_not_raw_are_told(measured):
    from dataclasses import replace

    def why(patterns: np.ndarray) -> str:
        return describe.count(replace(measured, patterns=patterns)).not_raw()

    counts = np.random.default_rng(1).poisson(np.full((200, 32, 32), 0.7)).astype(np.float64)
    assert why(counts) == ""
    assert "whole numbers" in why(counts * 1.02)
    assert "multiple of 3" in why(counts * 3)
    smooth = np.rint((counts + np.roll(counts, 1, 1) + np.roll(counts, 1, 2) + np.roll(counts, 2, 1)) / 4)
    assert "vary less" in why(smooth)


def test_dead_and_hot_pixels_are_found(measured):
    from dataclasses import replace

    counts = np.random.default_rng(1).poisson(np.full((60, 32, 32), 2.0))
    counts[:, 4, 9], counts[:, 20, 3] = 0, 5_000
    told = describe.count(replace(measured, patterns=counts, mask=None))
    assert told.dead.tolist() == [[4, 9]] and told.hot.tolist() == [[20, 3]]


def test_what_does_not_belong_together_is_refused_in_one_line(tmp_path, measured):
    from dataclasses import replace

    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(InputError, match="DATA-001"):
        open_scan(tmp_path / "text.npz")
    with pytest.raises(InputError, match="check the path"):
        open_scan(tmp_path / "absent.cxi")
    np.savez(tmp_path / "few.npz", diff3d=np.ones((4, 32, 32), np.uint16), xcoords=np.ones(3), ycoords=np.ones(3))
    with pytest.raises(InputError, match="4 finite numbers each"):
        open_scan(tmp_path / "few.npz")
    with pytest.raises(InputError, match="give energy_ev"):
        write_scan(tmp_path / "scan.cxi", replace(measured, energy_ev=None))
    assert not (tmp_path / "scan.cxi").exists()
    for name in ("probe", "object"):
        with pytest.raises(InputError, match=name):
            write_scan(tmp_path / "scan.h5", replace(measured, **{name: None}))
    with pytest.raises(InputError, match=r"\.npz, \.cxi, \.h5"):
        write_scan(tmp_path / "scan.tif", measured)


def test_inspect_and_convert_are_commands(tmp_path):
    done = studylib("inspect", str(FORMATS / "cdtools.cxi"), "--plot", str(tmp_path / "scan.png"))
    assert done.returncode == 0 and "39 of 32 x 32 px" in done.stdout and "note: probe missing" in done.stdout
    assert (tmp_path / "scan.png").read_bytes().startswith(b"\x89PNG")
    product, data = (str(FORMATS / f"ptychodus_{name}.h5") for name in ("product", "diffraction"))
    done = studylib("convert", product, data, str(tmp_path / "scan.npz"))
    assert done.returncode == 0, done.stderr
    read = open_scan(tmp_path / "scan.npz")
    assert misfit(read.counts(slice(None)), read.probe[0], read.places) == pytest.approx(1, abs=0.05)
    done = studylib("inspect", str(tmp_path / "absent.npz"))
    assert done.returncode == 2 and done.stderr.startswith("error: scan: got 'absent.npz'")
    done = studylib("inspect", str(FORMATS / "cdtools.cxi"), "--energy-ev", "-3")
    assert done.returncode == 2 and "above 0" in done.stderr


def test_fractions_in_a_later_block_are_not_rounded_away(tmp_path, measured, monkeypatch):
    """The type of all patterns follows from all of them."""
    monkeypatch.setattr("studylib.measured.BLOCK_BYTES", 8 * 32 * 32)
    counts = np.asarray(measured.patterns, dtype=np.float32).copy()
    counts[-1, 3, 4] = 7.25
    path = write_scan(tmp_path / "a.cxi", replace(measured, patterns=counts))
    np.testing.assert_array_equal(open_scan(path).counts(slice(-1, None))[0], counts[-1])


def test_hot_pixels_behind_a_mask_do_not_make_the_probe_brighter(measured):
    """What they hold is not light: the probe alone gives the mean counts of the pixels that can be trusted."""
    n = measured.patterns.shape[1]
    mask = np.ones((n, n), bool)
    mask[n // 2 - 1 : n // 2 + 2, n // 2] = mask[3, 5] = False
    counts = np.asarray(measured.patterns, dtype=np.float64).copy()
    told = replace(measured, patterns=counts, mask=mask).scan()
    pattern = np.abs(np.fft.fftshift(np.fft.fft2(told.probe, norm="ortho"))) ** 2
    np.testing.assert_allclose(pattern[mask].sum(), counts[:, mask].sum(axis=1).mean(), rtol=1e-4)
    counts[:, ~mask] = 1e6
    hot = replace(measured, patterns=counts, mask=mask).scan()
    np.testing.assert_array_equal(hot.probe, told.probe)
    assert hot.scale == told.scale

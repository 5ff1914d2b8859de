"""Networks trained, and taken to another dose or probe."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.learn.conftest import PINN

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("groups", [0, 4])
def test_a_network_serves_another_dose(learn, scan, groups):
    """Four times the photons, with as much less noise: the same patterns after scaling, so the same object."""
    from dataclasses import replace

    from studylib.errors import StageError

    network = learn.train.build_network(scan, PINN, groups)
    brighter = replace(scan, probe=2 * scan.probe, scale=2 * scan.scale)
    np.testing.assert_allclose(brighter.counts, 4 * scan.counts, rtol=1e-5)
    moved = learn.train.for_scan(network, brighter, PINN)
    expected = learn.predict.predict(network, scan, PINN.grouping, 1)
    np.testing.assert_allclose(learn.predict.predict(moved, brighter, PINN.grouping, 1), expected, atol=1e-5)
    assert np.ptp(np.abs(expected)) > 1e-3
    with pytest.raises(StageError, match="settings are not those"):
        learn.train.for_scan(network, brighter, PINN.model_copy(update={"width": PINN.width + 8}))


def test_a_network_of_another_probe_has_that_probe(learn, scan):
    from dataclasses import replace

    other = replace(scan, probe=np.ascontiguousarray(scan.probe[::-1].T) * 1j)
    network = learn.train.build_network(scan, PINN, 4)
    moved = learn.train.for_scan(network, other, PINN)
    unit = other.best_constant() / other.scale * other.probe
    np.testing.assert_allclose(moved.get_layer("moved_probes").probe, unit, rtol=1e-5)
    told = [learn.predict.predict(n, other, PINN.grouping, 1) for n in (moved, network)]
    assert np.abs(told[0] - told[1]).max() > 1e-3


@pytest.fixture(scope="module")
def small_scan(design):
    """The smoke profile's training half: windows of 32 px."""
    from studylib import samples
    from studylib.physics import overlap, simulate
    from studylib.scan import Scan

    source = samples.built_in(design.sample, design.seeds)
    generator = np.random.default_rng(5)
    positions = simulate.scan_positions(source.object.shape, 32, design.sample, generator)
    positions = positions[simulate.split_along_y(positions, 256, 32)["train"]]
    positions = positions[overlap.thin(positions, 5.0, 1)]
    probe = simulate.scale_probe(source.object, source.probe, positions, 1000)
    scale = simulate.intensity_scale(1000, 32)
    diffraction = simulate.count_photons(source.object, probe, positions, scale, generator)
    return Scan(diffraction, probe, positions, scale, source.object.shape, {})


def test_training_beats_the_flat_object_repeats_and_reloads(learn, small_scan, tmp_path):
    scan, settings = small_scan, PINN.model_copy(update={"steps": 250})
    first = learn.train.train_pinn(scan, PINN.grouping, settings, 7, 123)
    assert min(row["val_loss"] for row in first.history) < first.flat_loss
    again = learn.train.train_pinn(scan, PINN.grouping, settings, 7, 123)
    for a, b in zip(first.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    path = learn.predict.save_network(first.network, tmp_path / "model.keras")
    loaded = learn.predict.load_network(path, "")
    np.testing.assert_allclose(
        learn.predict.predict(loaded, scan, PINN.grouping, 1),
        learn.predict.predict(first.network, scan, PINN.grouping, 1),
        atol=1e-5,
    )


@pytest.mark.parametrize(("at_most", "held"), [(8, 8), (1, 4)])
def test_what_is_held_out_of_a_large_scan_is_bounded_in_pixels(learn, scan, monkeypatch, at_most, held):
    """A pattern of 128 x 128 px takes four times what one of 64 x 64 takes, so that fewer are held out."""
    seen = []
    monkeypatch.setattr(learn.train, "HELD_OUT", at_most * scan.n_pixels**2)
    monkeypatch.setattr(learn.train, "train_twice", lambda build, batches, held_out, *rest: seen.append(held_out))
    settings = PINN.model_copy(update={"validation_fraction": 0.4})
    learn.train.train_pinn(scan, PINN.grouping, settings, 7, 123)
    (((amplitudes, *_), counts),) = seen
    assert amplitudes.shape == counts.shape and amplitudes.shape[0] * amplitudes.shape[1] == held


def test_thirty_positions_train(learn, scan):
    """K falls with a note when positions are few; too few for a group is an error that says what to change."""
    from studylib.errors import InputError
    from studylib.physics.grouping import group

    few = scan.take(np.arange(30))
    settings = PINN.model_copy(update={"steps": 2, "evaluations": 1, "width": 8, "validation_fraction": 0.1})
    with pytest.warns(UserWarning, match="drawn from 6 neighbours, not 7"):
        learn.train.train_pinn(few, PINN.grouping, settings, 7, 123)
    with pytest.raises(InputError, match="larger field of view"):
        group(scan.positions[:3], PINN.grouping, 1)

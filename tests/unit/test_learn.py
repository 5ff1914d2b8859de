from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def learn():
    from studylib.learn.backend import use_backend

    use_backend("torch")
    import studylib.learn.predict as predict
    import studylib.learn.train as train
    from studylib.learn import layers, networks

    return type("L", (), {"predict": predict, "train": train, "layers": layers, "networks": networks})


def test_layer_gives_the_intensities_of_the_simulation(learn, scan, specimen):
    """True patches through the physics layer: the numbers of the NumPy forward model."""
    from studylib import simulate, windows
    from studylib.grouping import offsets

    positions = np.array([[80.0, 90.0], [88.0, 96.0], [84.0, 80.0], [75.0, 88.0]])
    groups = np.arange(4)[None]
    patches = windows.extract(specimen.object, positions, 64)[None]
    layer = learn.layers.Diffraction(scan.probe.real, scan.probe.imag, 16)
    shift = np.round(offsets(positions, groups) * 0)  # no displacement: nothing to agree on
    one = np.asarray(layer(np.abs(patches[:, :1]), np.angle(patches[:, :1]), shift[:, :1]))
    expected = next(simulate.intensities(specimen.object, scan.probe, positions))
    np.testing.assert_allclose(one[0, 0], expected[0], rtol=1e-3, atol=1e-4)
    # Whole-pixel offsets about a whole-pixel centre: the agreed object is the true one.
    centre = np.array([80.0, 88.0])
    both = np.asarray(layer(np.abs(patches), np.angle(patches), (positions - centre)[None].astype(np.float32)))
    np.testing.assert_allclose(both[0], expected, rtol=1e-2, atol=1e-2)


def test_layer_placement_is_adjoint_and_keeps_a_delta_in_place(learn):
    import keras

    offset = keras.ops.convert_to_tensor(np.array([[3.0, -2.0]], dtype=np.float32))
    columns = learn.layers.shift_matrix(offset[:, 0], 8, 4)
    rows = learn.layers.shift_matrix(offset[:, 1], 8, 4)
    patch = np.zeros((1, 8, 8), np.float32)
    patch[0, 5, 2] = 1
    canvas = np.asarray(learn.layers.place(keras.ops.convert_to_tensor(patch), rows, columns))
    assert np.argwhere(canvas[0]).tolist() == [[5 + 4 - 2, 2 + 4 + 3]]
    back = np.asarray(learn.layers.extract(keras.ops.convert_to_tensor(canvas), rows, columns))
    np.testing.assert_array_equal(back, patch)


def test_prediction_does_not_depend_on_batch_or_order(learn, scan):
    network = learn.networks.trunk(64, 8, scan.scale, "float32")
    whole = learn.predict.predict(network, scan, batch=64)
    np.testing.assert_allclose(learn.predict.predict(network, scan, batch=7), whole, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(scan.positions))
    np.testing.assert_allclose(learn.predict.predict(network, scan.take(order)), whole[order], atol=1e-5)


def test_another_dose_is_refused(learn, scan):
    from studylib.errors import StageError

    network = learn.networks.trunk(64, 8, 2 * scan.scale, "float32")
    with pytest.raises(StageError, match="intensity scale"):
        learn.predict.predict(network, scan)


@pytest.fixture(scope="module")
def small_scan(design):
    """The smoke profile's training half: windows of 32 px."""
    from studylib import overlap, sample, simulate
    from studylib.dataset import Scan

    source = sample.built_in(design.sample, design.seeds)
    generator = np.random.default_rng(5)
    positions = simulate.scan_positions(source.object.shape, 32, design.sample, generator)
    positions = positions[simulate.split_along_y(positions, 256, 32)["train"]]
    positions = positions[overlap.thin(positions, 5.0, 1)]
    probe = simulate.scale_probe(source.object, source.probe, positions, 1000)
    scale = simulate.intensity_scale(1000, 32)
    diffraction = simulate.count_photons(source.object, probe, positions, scale, generator)
    return Scan(diffraction, probe, positions, scale, source.object.shape, {})


def test_training_beats_the_flat_object_repeats_and_reloads(learn, small_scan, design, tmp_path):
    scan, settings = small_scan, design.pinn.model_copy(update={"steps": 100})
    first = learn.train.train_pinn(scan, design.grouping, settings, 7, 123)
    assert min(row["val_loss"] for row in first.history) < first.flat_loss
    again = learn.train.train_pinn(scan, design.grouping, settings, 7, 123)
    for a, b in zip(first.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    path = learn.predict.save_network(first.network, tmp_path / "model.keras")
    loaded = learn.predict.load_network(path, "")
    np.testing.assert_allclose(
        learn.predict.predict(loaded, scan), learn.predict.predict(first.network, scan), atol=1e-5
    )


def test_a_collapse_is_restarted_once_and_then_refused(learn, scan, design, monkeypatch):
    from studylib.errors import StageError

    settings = design.pinn.model_copy(update={"steps": 2, "evaluations": 1, "width": 8})
    monkeypatch.setattr(learn.train, "flat_object_loss", lambda scan: -np.inf)
    with pytest.raises(StageError, match="collapsed 2 times"):
        learn.train.train_pinn(scan, design.grouping, settings, 7, 123)


def test_every_group_stays_on_the_canvas_the_held_out_ones_too(learn, design):
    """A narrow held-out strip has far neighbours: its offsets decide the canvas as well."""
    from studylib.grouping import group, hold_out, offsets

    x, y = np.meshgrid(np.arange(40.0, 140, 10), np.arange(40.0, 240, 10))
    positions = np.stack([x.ravel(), y.ravel()], axis=1)
    halves = [positions[part] for part in hold_out(positions, 0.1)]
    margin = learn.train.canvas_margin(halves, design.grouping)
    for part in halves:
        for seed in range(20):
            shifts = offsets(part, group(part, design.grouping, seed))
            assert np.abs(shifts).max() <= margin - 1


def test_offsets_beyond_the_canvas_are_refused(learn, scan, design):
    from studylib.errors import StageError
    from studylib.grouping import group
    from studylib.learn.batches import group_batch

    groups = group(scan.positions, design.grouping, 1)
    with pytest.raises(StageError, match="beyond the canvas"):
        group_batch(scan, groups, margin=3)

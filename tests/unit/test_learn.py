from __future__ import annotations

import numpy as np
import pytest

from studylib.arms.networks import PinnSettings
from studylib.design import StudyDesign
from tests import asymmetric

pytestmark = pytest.mark.timeout(300)
PINN = PinnSettings(**StudyDesign.for_profile("smoke").arms["pinn"])


@pytest.fixture(scope="module")
def learn():
    from studylib.learn.backend import use_backend

    use_backend("torch")
    import studylib.learn.predict as predict
    import studylib.learn.train as train
    from studylib.learn import layers, networks

    return type("L", (), {"predict": predict, "train": train, "layers": layers, "networks": networks})


def array(tensor) -> np.ndarray:
    from keras import ops

    return ops.convert_to_numpy(tensor)


def shared(learn, probe, offsets, fractions):
    """Return probes and ramps, and what relates the windows of a group."""
    from keras import ops

    moved = learn.layers.MovedProbes(probe)(ops.convert_to_tensor(np.asarray(fractions, np.float32)))
    return moved, learn.layers.Overlap(probe)(ops.convert_to_tensor(np.asarray(offsets, np.float32)), *moved[:2])


@pytest.mark.parametrize("size", [1, 4])
def test_layers_expect_what_the_simulation_expects(learn, size):
    """True patches of a group through the physics layers, without any symmetry and at fractional positions."""
    from studylib.physics import forward, windows
    from studylib.physics.grouping import offsets

    scan = asymmetric.scan_of(10_000)
    groups = np.array([[40, 41, 52, 53], [60, 61, 47, 59]])[:, :size]
    patches = windows.extract(asymmetric.OBJECT, scan.positions, asymmetric.N)[groups]
    moved, where = shared(learn, scan.probe, *offsets(scan.positions, groups))
    told = array(learn.layers.Diffraction(scan.probe)(np.abs(patches), np.angle(patches), *moved[:2], *where))
    for row, group in zip(told, groups, strict=True):
        expected = next(forward.expected_counts(asymmetric.OBJECT, scan.probe, scan.positions[group]))
        np.testing.assert_allclose(row, expected, atol=1e-5 * expected.max())


def test_an_offset_common_to_a_group_changes_nothing(learn, scan):
    """Global coordinates in place of relative ones cannot go wrong: only differences enter."""
    generator = np.random.default_rng(0)
    amplitude, phase = generator.random((2, 1, 4, 64, 64)).astype(np.float32)
    where, fractions = generator.integers(-9, 9, (1, 4, 2)), generator.uniform(-0.5, 0.5, (1, 4, 2))
    layer = learn.layers.Diffraction(scan.probe)
    both = []
    for d in (0, 256):
        moved, seen = shared(learn, scan.probe, where + d, fractions)
        both.append(array(layer(amplitude, phase, *moved[:2], *seen)))
    np.testing.assert_allclose(both[1], both[0], rtol=1e-3, atol=1e-3 * both[0].max())


def test_gathering_is_its_own_adjoint(learn):
    from keras import ops

    generator = np.random.default_rng(1)
    where = generator.integers(-5, 5, (2, 4, 2))
    _, (weights, *_) = shared(learn, np.ones((16, 16), np.complex64), where, np.zeros((2, 4, 2)))
    a, b = generator.normal(size=(2, 2, 4, 16, 3, 16)).astype(np.float32)
    left = np.vdot(array(learn.layers.gather(ops.convert_to_tensor(a), weights)), b)
    right = np.vdot(a, array(learn.layers.gather(ops.convert_to_tensor(b), weights)))
    assert left == pytest.approx(right, rel=1e-4)


def test_a_delta_is_gathered_where_its_neighbour_sees_it(learn):
    """Windows at (0, 0) and x = 3, y = -2: the pixel (row 5, column 6) of one is (7, 3) of the other."""
    from keras import ops

    where = [[[0.0, 0.0], [3.0, -2.0]]]
    _, (weights, _, light) = shared(learn, np.ones((12, 12), np.complex64), where, np.zeros((1, 2, 2)))
    patches = np.zeros((1, 2, 12, 2, 12), np.float32)
    patches[0, 0, 5, 1, 6] = 1
    seen = array(learn.layers.gather(ops.convert_to_tensor(patches), weights))[0]
    assert np.argwhere(seen[0]).tolist() == [[5, 1, 6]] and np.argwhere(seen[1]).tolist() == [[7, 1, 3]]
    # Of the neighbour's light, two rows fall above and three columns left of this window.
    light = array(light)[0, 0, :, 0]
    np.testing.assert_allclose(light[:10, 3:], 2.0, rtol=1e-5)
    assert light.sum() == pytest.approx(144 + 90, rel=1e-5)


def test_first_estimate_recovers_a_flat_object_from_noiseless_patterns(learn, scan):
    """Where light falls, the estimate of an object of 1 is 1; neighbours at other places agree."""

    from studylib.physics import forward
    from studylib.physics.grouping import offsets

    positions = np.array([[80.3, 90.0], [88.0, 95.6]])
    flat = np.ones((192, 192), np.complex64)
    moduli = np.sqrt(next(forward.expected_counts(flat, scan.probe, positions)))[None].astype(np.float32)
    moved, (weights, _, light) = shared(learn, scan.probe, *offsets(positions, np.array([[0, 1]])))
    told = learn.layers.FirstEstimate(scan.probe)(moduli, *moved, weights, light)
    own_real, own_imag, real, imag, total = np.moveaxis(array(told), 3, 0)
    weight = np.abs(forward.probes_at(scan.probe, positions)[0]) ** 2 / np.max(np.abs(scan.probe) ** 2)
    # Pixels that the bare probe leaves dark are damped, a few per cent of the whole.
    np.testing.assert_allclose(own_real[0, 0], weight, atol=0.03)
    np.testing.assert_allclose(own_imag, 0, atol=0.03)
    lit = total[0] > 0.5
    np.testing.assert_allclose(real[0][lit], 1, atol=0.1)
    np.testing.assert_allclose(imag, 0, atol=0.02)


def group_without_symmetry(learn):
    """Return the layer's inputs for four neighbours and noise-free patterns, and their true patches."""
    from studylib.physics import forward, windows
    from studylib.physics.grouping import offsets

    scan = asymmetric.scan_of(100_000)
    nearest = np.argsort(np.linalg.norm(scan.positions - scan.positions[60], axis=1))[None, :4]
    expected = next(forward.expected_counts(asymmetric.OBJECT, scan.probe, scan.positions[nearest[0]]))
    places, fractions = offsets(scan.positions, nearest)
    moved, (weights, _, light) = shared(learn, scan.probe, places, fractions)
    moduli = np.sqrt(expected)[None].astype(np.float32)
    first = np.array(learn.layers.FirstEstimate(scan.probe)(moduli, *moved, weights, light))
    truth = windows.extract(asymmetric.OBJECT, scan.positions, asymmetric.N)[nearest]
    return scan.probe, (moduli, places, *moved[:2]), first, truth


def test_updates_lead_a_group_to_its_object(learn):
    """Of the error of the first estimate, most is gone after a hundred updates."""
    from studylib.learn.updates import GroupUpdates

    probe, inputs, first, truth = group_without_symmetry(learn)
    lit, errors = first[:, :, :, 4] > 0.5, []
    for updates in (0, 10, 100):
        real, imag = (array(part)[lit] for part in GroupUpdates(probe, updates)(*inputs, first))
        image = real + 1j * imag
        turn = np.exp(1j * np.angle(np.vdot(image, truth[lit])))
        errors.append(np.linalg.norm(image * turn - truth[lit]) / np.linalg.norm(truth[lit]))
    assert errors[1] < 0.7 * errors[0] and errors[2] < 0.25 * errors[0], errors


def test_updates_leave_the_true_object_as_it_is(learn):
    """Also where probe, object and places have no symmetry: a wrong frame or sign would move it at once."""
    from studylib.learn.layers import DARK
    from studylib.learn.updates import GroupUpdates

    probe, inputs, first, truth = group_without_symmetry(learn)
    first[:, :, :, 2], first[:, :, :, 3] = truth.real - DARK / first[:, :, :, 4], truth.imag
    real, imag = GroupUpdates(probe, 20)(*inputs, first)
    lit = first[:, :, :, 4] > 0.1
    np.testing.assert_allclose((array(real) + 1j * array(imag))[lit], truth[lit], atol=1e-4)


def test_a_sum_over_windows_is_that_of_the_physics_layer(learn):
    from keras import ops

    from studylib.learn.updates import Windows

    generator = np.random.default_rng(3)
    where = generator.integers(-14, 15, (3, 4, 2)).astype(np.float32)
    where[:, 0] = 0
    _, (weights, *_) = shared(learn, np.ones((16, 16), np.complex64), where, np.zeros((3, 4, 2)))
    real, imag = (ops.convert_to_tensor(a) for a in generator.normal(size=(2, 3, 4, 16, 16)).astype(np.float32))
    expected = array(learn.layers.gather(ops.stack([real, imag], axis=3), weights))
    told = Windows(ops.convert_to_tensor(where), 16).summed(real, imag)
    for part, seen in enumerate(told):
        np.testing.assert_allclose(seen, expected[:, :, :, part], atol=1e-5)


def test_a_window_far_from_the_group_takes_no_part(learn):
    from keras import ops

    from studylib.learn.updates import Windows

    where = ops.convert_to_tensor(np.array([[[0, 0], [40, 0], [3, 0], [41, 0]]], np.float32))
    one = ops.ones((1, 4, 16, 16))
    seen = array(Windows(where, 16).summed(one, one)[0])
    assert not seen[0, 1].any() and not seen[0, 3].any() and seen[0, 0].sum() == 256 + 13 * 16


def test_a_network_with_updates_begins_with_their_image(learn):
    """The head's first maps are nearly 0; what is expected of the image then is what the updates give."""
    from studylib.learn.batches import group_batch

    scan = asymmetric.scan_of(100_000)
    network = learn.networks.ptychopinn(scan.probe, 4, 8, scan.scale, "float32", True, updates=5)
    inputs, _ = group_batch(scan, np.array([[40, 41, 52, 53]]))
    for layer in ("amp_head", "phase_head"):
        network.get_layer(layer).set_weights([np.zeros_like(w) for w in network.get_layer(layer).get_weights()])
    amplitude, phase = (np.asarray(part) for part in network.predict_on_batch(list(inputs)))
    start = network.get_layer("group_updates").output
    import keras

    real, imag = (np.asarray(p) for p in keras.Model(network.inputs, start).predict_on_batch(list(inputs)))
    np.testing.assert_allclose(amplitude * np.exp(1j * phase), real + 1j * imag, atol=0.02)


def test_thinned_counts_are_kept_and_independent(learn):
    from studylib.learn.batches import thin_counts

    counts = np.full((1, 1, 300, 300), 9.0, np.float32)
    counts[...] = np.random.default_rng(2).poisson(9, counts.shape)
    batch = ((np.sqrt(counts), np.zeros((1, 1, 2), np.float32), np.zeros((1, 1, 2), np.float32)), counts)
    (shown, *_), target = thin_counts(batch, 0.3, np.random.default_rng(3))
    a, b = np.rint(shown.astype(np.float64) ** 2 * 0.7), np.rint(target.astype(np.float64) * 0.3)
    np.testing.assert_array_equal(a + b, counts)
    assert shown.mean() ** 2 == pytest.approx(9, rel=0.1) and target.mean() == pytest.approx(9, rel=0.02)
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.01
    assert thin_counts(batch, 0.0, np.random.default_rng(3)) is batch


@pytest.fixture(params=["Baseline", "PtychoPINN", "Baseline with skips", "PtychoPINN with skips"])
def network(request, learn, scan):
    skips = "skips" in request.param
    if request.param.startswith("Baseline"):
        return learn.networks.baseline(64, 8, scan.scale, "float32", skips)
    return learn.networks.ptychopinn(scan.probe, 4, 8, scan.scale, "float32", skips)


@pytest.mark.parametrize("skips", [True, False])
def test_only_skips_let_fine_scales_past_the_bottleneck(learn, scan, skips):
    """With the coarsest scale's weights at 0 the image still follows the pattern, or no longer does."""
    network = learn.networks.baseline(64, 8, scan.scale, "float32", skips)
    coarsest = next(w for w in network.trainable_weights if tuple(w.shape) == (3, 3, 32, 32))
    coarsest.assign(np.zeros(coarsest.shape))
    one, other = (np.asarray(network.predict_on_batch(np.sqrt(scan.counts[i : i + 1]))[1]) for i in (40, 60))
    assert np.allclose(one, other) is not skips


def test_prediction_does_not_depend_on_the_batch(learn, network, scan):
    whole = learn.predict.predict(network, scan, PINN.grouping, 1, batch=64)
    again = learn.predict.predict(network, scan, PINN.grouping, 1, batch=12)
    np.testing.assert_allclose(again, whole, atol=1e-5)


def test_prediction_follows_the_order_of_positions(learn, scan):
    """For groups of all neighbours (K = C - 1 would be one choice only) the draw cannot matter."""
    network = learn.networks.baseline(64, 8, scan.scale, "float32")
    order = np.random.default_rng(0).permutation(len(scan.positions))
    whole = learn.predict.predict(network, scan, PINN.grouping, 1)
    again = learn.predict.predict(network, scan.take(order), PINN.grouping, 1)
    np.testing.assert_allclose(again, whole[order], atol=1e-5)


def test_a_group_may_be_listed_in_any_order(learn, scan):
    from studylib.learn.batches import group_batch

    network = learn.networks.ptychopinn(scan.probe, 4, 8, scan.scale, "float32")
    for head in ("amp_head", "phase_head"):  # weights that show: the first ones give a nearly flat object
        layer = network.get_layer(head)
        layer.set_weights([20 * layer.get_weights()[0], layer.get_weights()[1]])
    members = np.array([[40, 41, 52, 53]])
    order = [2, 0, 3, 1]
    (a, b) = (network.predict_on_batch(list(group_batch(scan, m)[0])) for m in (members, members[:, order]))
    np.testing.assert_allclose(np.asarray(b[1]), np.asarray(a[1])[:, order], atol=1e-4)
    assert np.ptp(np.asarray(a[1])) > 0.1


def test_another_dose_is_refused(learn, scan):
    from studylib.errors import StageError

    network = learn.networks.baseline(64, 8, 2 * scan.scale, "float32")
    with pytest.raises(StageError, match="intensity scale"):
        learn.predict.predict(network, scan, PINN.grouping, 1)


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


def test_another_group_size_is_refused(learn, scan):
    from studylib.errors import StageError

    network = learn.networks.ptychopinn(scan.probe, 1, 8, scan.scale, "float32")
    with pytest.raises(StageError, match="C=1, the design has C=4"):
        learn.predict.predict(network, scan, PINN.grouping, 1)


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


def test_a_collapse_is_restarted_once_and_recorded(learn, scan, monkeypatch):
    """That an arm did not learn is judged later, by counts that no arm was fitted to."""
    settings = PINN.model_copy(update={"steps": 2, "evaluations": 1, "width": 8})
    monkeypatch.setattr(learn.train, "flat_object_loss", lambda scan: -np.inf)
    trained = learn.train.train_pinn(scan, PINN.grouping, settings, 7, 123)
    assert trained.attempts == 2 and not trained.beats_flat and {r["attempt"] for r in trained.history} == {1, 2}


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


def test_no_base_is_out_of_range(learn, scan):
    """The object's scale is a gauge: with a third of the probe and three times the object the image is three times."""
    from dataclasses import replace

    network = {}
    for factor in (1.0, 1 / 3):
        weaker = replace(scan, probe=(factor * scan.probe).astype(np.complex64))
        gauge = weaker.best_constant()
        import keras

        keras.utils.set_random_seed(3)
        built = learn.networks.ptychopinn(weaker.probe, 4, 8, weaker.scale, "float32", gauge=gauge)
        network[factor] = learn.predict.predict(built, weaker, PINN.grouping, 1)
    np.testing.assert_allclose(network[1 / 3], 3 * network[1.0], rtol=2e-3)


def test_recorded_network_gives_the_same_gradients_and_follows_its_weights(learn, scan, monkeypatch):
    import torch

    from studylib.learn import recorded as module
    from studylib.learn.batches import group_batch

    monkeypatch.setattr(module, "HOT", 1)
    network = learn.networks.ptychopinn(scan.probe, 4, 8, scan.scale, "float32")
    inputs = [torch.from_numpy(part) for part in group_batch(scan, np.array([[40, 41, 52, 53], [60, 61, 72, 73]]))[0]]
    recorded = module.Recorded(network)

    def gradients(run) -> list[np.ndarray]:
        network.zero_grad()
        amplitude, phase = run(inputs)
        (amplitude.sum() + (phase**2).sum()).backward()
        return [np.array(variable.value.grad) for variable in network.trainable_weights]

    for _ in range(2):  # the second time as recorded, then with other weights
        gradients(recorded)
        for mine, its in zip(gradients(recorded), gradients(network), strict=True):
            np.testing.assert_array_equal(mine, its)
        network.set_weights([0.5 * weight for weight in network.get_weights()])
    assert module._history[network][1], "nothing was recorded"
    other = [part[:1] for part in inputs]
    for mine, its in zip(recorded(other), network(other), strict=True):
        np.testing.assert_array_equal(mine.detach(), its.detach())


def test_what_is_recorded_of_a_network_serves_every_prediction_and_goes_with_it(learn, scan, monkeypatch):
    import gc
    import weakref

    from studylib.learn import recorded as module

    monkeypatch.setattr(module, "HOT", 1)
    made = []
    monkeypatch.setattr(module, "make_fx", lambda run, make=module.make_fx: made.append(1) or make(run))
    network = learn.networks.baseline(64, 8, scan.scale, "float32")
    patterns = np.sqrt(scan.counts[:2])
    for _ in range(3):
        told = module.Recorded(network).predict_on_batch(patterns)
    assert made == [1]
    np.testing.assert_array_equal(told, network.predict_on_batch(patterns))
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None, "the record keeps the network alive"

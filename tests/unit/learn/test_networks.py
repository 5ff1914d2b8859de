"""The networks: what they begin with, and what they cannot depend on."""

from __future__ import annotations

import numpy as np
import pytest

from tests import asymmetric
from tests.unit.learn.conftest import PINN

pytestmark = pytest.mark.timeout(300)


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


@pytest.mark.parametrize("skips", [True, False])
def test_only_skips_let_fine_scales_past_the_bottleneck(learn, scan, skips):
    """With the coarsest scale's weights at 0 the image still follows the pattern, or no longer does."""
    network = learn.networks.baseline(64, 8, scan.scale, "float32", skips)
    coarsest = next(w for w in network.trainable_weights if tuple(w.shape) == (3, 3, 32, 32))
    coarsest.assign(np.zeros(coarsest.shape))
    one, other = (np.asarray(network.predict_on_batch(np.sqrt(scan.counts[i : i + 1]))[1]) for i in (40, 60))
    assert np.allclose(one, other) is not skips


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


def test_the_first_object_of_a_network_is_flat(scan):
    from studylib.learn.backend import use_backend

    use_backend("torch")
    import keras

    from studylib.learn.networks import baseline, ptychopinn

    keras.utils.set_random_seed(1)
    inputs = np.sqrt(scan.counts[:4])
    grouped = [inputs[None], np.zeros((1, 4, 2), np.float32), np.zeros((1, 4, 2), np.float32)]
    for network, given in (
        (baseline(64, 8, 1.0, "float32"), inputs),
        (ptychopinn(scan.probe, 4, 8, scan.scale, "float32"), grouped),
    ):
        amplitude, phase = (np.asarray(part) for part in network.predict_on_batch(given))
        assert np.abs(phase).max() < 0.5 and np.ptp(amplitude) < 0.25
        assert amplitude.mean() == pytest.approx(1, abs=0.1)

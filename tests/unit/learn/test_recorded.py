"""Networks as recorded: the same numbers, sooner."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.timeout(300)


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

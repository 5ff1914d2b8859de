"""What the tests of networks and layers share."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.arms.networks import PinnSettings
from studylib.design import StudyDesign
from tests import asymmetric

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

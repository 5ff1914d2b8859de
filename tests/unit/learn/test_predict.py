"""Images of trained networks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.learn.conftest import PINN

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(params=["Baseline", "PtychoPINN", "Baseline with skips", "PtychoPINN with skips"])
def network(request, learn, scan):
    skips = "skips" in request.param
    if request.param.startswith("Baseline"):
        return learn.networks.baseline(64, 8, scan.scale, "float32", skips)
    return learn.networks.ptychopinn(scan.probe, 4, 8, scan.scale, "float32", skips)


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


def test_another_dose_is_refused(learn, scan):
    from studylib.errors import StageError

    network = learn.networks.baseline(64, 8, 2 * scan.scale, "float32")
    with pytest.raises(StageError, match="intensity scale"):
        learn.predict.predict(network, scan, PINN.grouping, 1)


def test_another_group_size_is_refused(learn, scan):
    from studylib.errors import StageError

    network = learn.networks.ptychopinn(scan.probe, 1, 8, scan.scale, "float32")
    with pytest.raises(StageError, match="C=1, the design has C=4"):
        learn.predict.predict(network, scan, PINN.grouping, 1)

"""pty-chi's deep image prior: it fits the counts by Poisson's likelihood, repeats, and comes nearer to the object."""

from __future__ import annotations

import numpy as np

from studylib.arms.ptychi_prior import DeepPriorSettings, PtyChiDeepPrior
from studylib.design import Seeds
from studylib.judge import register
from tests import asymmetric

SMALL = {"width": 8, "levels": 2}


def test_its_loss_is_poissons():
    """pty-chi's own choice of the name takes intensities for logarithms: a bright pixel would be infinite."""
    scan = asymmetric.scan_of(dose=300)
    told = PtyChiDeepPrior().reconstruct(scan, DeepPriorSettings(**SMALL, epochs=2, step=1e-9), Seeds())
    assert told.object.shape == scan.shape
    expected = PtyChiDeepPrior().expected(told.object, scan)
    poisson = np.mean(expected - scan.counts * np.log(expected + 1e-8))
    np.testing.assert_allclose(told.loss, poisson, rtol=1e-3)


def test_it_comes_nearer_to_the_object_and_repeats():
    scan = asymmetric.scan_of(dose=10_000)
    settings = DeepPriorSettings(**SMALL, epochs=40, step=3e-3)
    first, again = (PtyChiDeepPrior().reconstruct(scan, settings, Seeds()) for _ in range(2))
    np.testing.assert_array_equal(first.object, again.object)
    assert first.loss[-1] < first.loss[0]
    box = (slice(24, 88), slice(24, 104))
    truth = asymmetric.OBJECT[box]

    def error(image: np.ndarray) -> float:
        turned = register.apply_gauge(image, register.fit_gauge(image, truth))
        return float(np.abs(turned - truth).mean())

    assert error(first.object[box]) < 0.8 * error(np.ones_like(truth))


def test_pty_chis_u_net_learns_too():
    scan = asymmetric.scan_of(dose=1000)
    told = PtyChiDeepPrior().reconstruct(scan, DeepPriorSettings(network="unet", epochs=6, step=3e-4), Seeds())
    assert told.loss[-1] < told.loss[0] and np.isfinite(told.object).all()


def test_another_seed_is_another_network():
    scan = asymmetric.scan_of(dose=1000)
    images = [
        PtyChiDeepPrior().reconstruct(scan, DeepPriorSettings(**SMALL, epochs=1), Seeds(iteration=seed)).object
        for seed in (1, 2)
    ]
    assert np.abs(images[0] - images[1]).max() > 1e-3

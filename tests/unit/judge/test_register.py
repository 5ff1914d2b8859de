from __future__ import annotations

import numpy as np
import pytest

from studylib.errors import StageError
from studylib.judge import register
from tests.asymmetric import OBJECT


def test_factor_and_ramp_are_recovered_from_wrapped_phases():
    rows, columns = np.indices(OBJECT.shape)
    image = 0.7 * OBJECT * np.exp(1j * (2.5 + 0.06 * columns - 0.04 * rows))
    gauge = register.fit_gauge(image, OBJECT)
    assert gauge.scale == pytest.approx(0.7, rel=1e-4)
    assert (gauge.ramp_x, gauge.ramp_y) == pytest.approx((0.06, -0.04), abs=1e-5)
    np.testing.assert_allclose(register.apply_gauge(image, gauge), OBJECT, atol=1e-3)


@pytest.mark.parametrize("noise", [0.4, 0.6])
def test_noise_does_not_shrink_the_image(noise):
    """The image is regressed on the truth by the complex product; moduli would give 0.95 and 0.88."""
    generator = np.random.default_rng(1)
    scales = []
    for _ in range(20):
        n = generator.normal(0, noise / np.sqrt(2), (2, *OBJECT.shape))
        scales.append(register.fit_gauge(1.3 * OBJECT + n[0] + 1j * n[1], OBJECT).scale)
    assert np.mean(scales) == pytest.approx(1.3, rel=0.005)


def test_a_dark_rim_of_noise_does_not_count():
    """Weighted by the illumination, pixels without light leave the gauge alone."""
    generator = np.random.default_rng(2)
    light = np.ones(OBJECT.shape)
    light[:30] = 1e-6
    image = OBJECT.copy()
    image[:30] = 5 * generator.normal(size=(30, OBJECT.shape[1]))
    gauge = register.fit_gauge(image, OBJECT, light)
    assert gauge.scale == pytest.approx(1, rel=1e-3) and abs(gauge.phase) < 1e-3


@pytest.mark.parametrize("wrong", [np.conj, np.flipud, np.fliplr])
def test_the_wrong_orientation_is_not_mended_by_the_gauge(wrong):
    gauge = register.fit_gauge(wrong(OBJECT), OBJECT)
    left = register.apply_gauge(wrong(OBJECT), gauge)
    assert np.abs(np.angle(left * OBJECT.conj())).mean() > 0.3


def test_a_displaced_image_is_measured_and_refused():
    image = np.roll(OBJECT, (1, -1), axis=(0, 1))
    assert register.shift_between(image, OBJECT) == pytest.approx((1, -1), abs=0.1)
    with pytest.raises(StageError, match="off the truth"):
        register.refuse_shift(register.shift_between(np.roll(OBJECT, 5, axis=0), OBJECT), 2.0, "x")


def test_an_image_of_zeros_cannot_be_compared():
    with pytest.raises(StageError, match="zero everywhere"):
        register.fit_gauge(np.zeros_like(OBJECT), OBJECT)

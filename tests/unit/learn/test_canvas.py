"""The physics of the learned arm: counts expected of a piece of the canvas, and the gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from studylib.arms.poisson import Likelihood
from studylib.learn.canvas import Canvas, frequencies_first
from tests.asymmetric import OBJECT, N, scan_of


@pytest.fixture(scope="module")
def masked():
    mask = np.ones((N, N), dtype=bool)
    mask[14:17, 12:18] = mask[3, 20] = False
    background = np.linspace(0.01, 0.3, N * N, dtype=np.float32).reshape(N, N)
    return replace(scan_of(2_000), mask=mask, background=background)


def test_the_gradient_is_that_of_the_likelihood_of_the_solvers(masked):
    """Two implementations: the one written out for whole scans, and this one, here on a piece of the canvas."""
    image = (OBJECT * np.exp(0.2j) + 0.1).astype(np.complex64)
    part = masked.take(np.flatnonzero((masked.positions < 90).all(axis=1) & (masked.positions[:, 0] > 30)))
    likelihood = Likelihood(part)
    loss, pair = likelihood.loss_and_gradient(torch.view_as_real(torch.from_numpy(image)))
    canvas = Canvas(part, 0.8, 1.0, (0, 12), (108, 112))
    here = torch.from_numpy(image[:108, 12:124] / np.float32(0.8))
    counts = frequencies_first(part.counts)
    gradient = canvas.gradient(here, counts).numpy()
    expected = 0.8 * torch.view_as_complex(pair.contiguous()).numpy()[:108, 12:124] / 2
    np.testing.assert_allclose(gradient, expected, atol=1e-4 * np.abs(expected).max())
    assert float(canvas.losses(here, counts, 1.0).sum()) == pytest.approx(loss, rel=1e-5)


def test_the_gradient_is_the_derivative_of_the_loss(masked):
    canvas = Canvas(masked, 1.0, 0.7, (0, 0), masked.shape)
    counts = frequencies_first(masked.counts)
    image = torch.from_numpy(OBJECT + np.complex64(0.05)).requires_grad_()
    canvas.losses(image, counts, 0.7).sum().backward()
    with torch.no_grad():
        written = canvas.gradient(image, counts)
    # torch gives dL/dRe + i dL/dIm, which is twice dL/dO*.
    assert torch.allclose(image.grad / 2, written, atol=1e-4 * float(written.abs().max()))

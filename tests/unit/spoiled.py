"""What scans and images of several tests are spoiled with: a haze, rubbish under a mask, noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from studylib.physics import forward
from studylib.scan import Scan
from tests.asymmetric import OBJECT, N


def haze() -> np.ndarray:
    """Return a background (N, N) float32 without symmetry, about as many counts as the study's dose."""
    rows, columns = np.indices((N, N))
    return (3 + 25 * np.exp(-(((rows - 20) / 9) ** 2) - ((columns - 13) / 5) ** 2)).astype(np.float32)


def expected(scan: Scan, image: np.ndarray = OBJECT) -> np.ndarray:
    return np.concatenate(list(forward.expected_counts(image, scan.probe, scan.positions)))


def spoiled(scan):
    rubbish = np.random.default_rng(2).integers(0, 60_000, scan.diffraction.shape)
    where = ~scan.mask
    return replace(
        scan, diffraction=np.where(where, np.sqrt(rubbish) / scan.scale, scan.diffraction).astype(np.float32),
        held=np.where(where, rubbish, scan.held).astype(np.uint16),
    )  # fmt: skip


def noisy_images(sigma=0.12, seed=3):
    """Images of a share of the counts as an arm without a prior makes them: the truth, and noise of its own."""
    generator = np.random.default_rng(seed)

    def images(scan):
        noise = generator.normal(size=OBJECT.shape) + 1j * generator.normal(size=OBJECT.shape)
        return {"map": (OBJECT + sigma * noise).astype(np.complex64)}

    return images

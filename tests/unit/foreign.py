"""Files of other packages (tests/formats), what they hold in truth, and the measured scans beside the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studylib.physics import forward
from tests import asymmetric

FORMATS = Path(__file__).resolve().parents[1] / "formats"
DATA = Path(__file__).resolve().parents[3] / "shared/data"
STAR = DATA / "siemens_velociprobe_N128.npz"
EXPERIMENT = {"energy_ev": 8_800.0, "distance_m": 1.9, "detector_pixel_m": (75e-6, 75e-6)}

needs_star = pytest.mark.skipif(not STAR.is_file(), reason="the measured Siemens star is not beside the repository")
"""A Siemens star at the APS Velociprobe."""


def misfit(counts: np.ndarray, probe: np.ndarray, positions: np.ndarray) -> float:
    """Return sum (n - lambda)^2 / sum lambda at the true object: 1 for photons, far more in a wrong frame."""
    expected = np.concatenate(list(forward.expected_counts(asymmetric.OBJECT, probe, positions)))
    return float(np.sum((counts - expected) ** 2) / np.sum(expected))


def truth():
    scan = asymmetric.scan_of(20_000)
    return scan.take(np.arange(0, len(scan.positions), 7))

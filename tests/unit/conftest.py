"""Fixtures that the tests of several packages share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.experiment import Experiment
from studylib.measured import Measured
from studylib.measured_condition import shorter
from studylib.scan import Scan
from tests import asymmetric
from tests.asymmetric import N, scan_of
from tests.unit.foreign import EXPERIMENT, truth
from tests.unit.planned import DOSES, SAMPLE, SETTINGS, limit, row
from tests.unit.spoiled import expected, haze, spoiled

DOSE = 20_000
"""Photons per pattern of the scans below."""


@pytest.fixture(scope="module")
def torch_backend():
    from studylib.learn.backend import use_backend

    use_backend("torch")


@pytest.fixture
def measured() -> Measured:
    """What a file of a measured scan may tell, all of it."""
    scan = truth()
    return Measured(
        "test", "test", scan.counts, positions=scan.positions, probe=scan.probe[None], object=asymmetric.OBJECT,
        mask=np.arange(asymmetric.N**2).reshape(asymmetric.N, -1) != 7, **EXPERIMENT,
    )  # fmt: skip


@pytest.fixture(scope="module")
def hazy() -> Scan:
    """Counts of light and background, with held ones."""
    scan, generator = scan_of(DOSE), np.random.default_rng(4)
    light = expected(scan) + haze()
    counts, held = generator.poisson(light), generator.poisson(0.1 * light)
    return replace(
        scan, diffraction=(np.sqrt(counts) / scan.scale).astype(np.float32), background=haze(),
        held=held.astype(np.uint16), held_share=0.1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def masked():
    """A scan with a beam stop off the centre and some bad pixels, and its twin with other rubbish under them."""
    mask = np.ones((N, N), dtype=bool)
    mask[14:18, 15:18] = mask[3, 20] = mask[29, 2] = False
    scan = scan_of(DOSE)
    scan = scan.take(np.argsort(np.linalg.norm(scan.positions - scan.positions.mean(axis=0), axis=1))[:60])
    held = np.random.default_rng(1).poisson(0.2, scan.diffraction.shape).astype(np.uint16)
    scan = replace(scan, mask=mask, held=held, held_share=0.1)
    return scan, spoiled(scan)


@pytest.fixture(scope="module")
def exposure():
    """A shorter exposure, of 1000 photons per pattern."""
    return shorter(scan_of(DOSE), 1_000, seed=3)


@pytest.fixture
def response():
    """MAP has 1.2 times the error of the best linear estimator, PtyChi 3 times at first and 1.5 times at last."""
    rows = [row("MAP", dose, 1.2 * (dose / 100) ** -0.5) for dose in DOSES]
    rows += [row("PtyChi", d, s * (d / 100) ** -0.5) for d, s in zip(DOSES, (3.0, 2.0, 1.5), strict=True)]
    rows += [row("constant", dose, 0.2, status="reference", seconds=None) for dose in DOSES]
    return {"rows": rows, "limits": [limit(dose, dose / 100) for dose in DOSES]}


@pytest.fixture
def experiment():
    return Experiment(SAMPLE, (160, 176), SETTINGS, 7)

"""What every array must pass: here the probe and the object of a base."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.samples import load_base
from tests.asymmetric import N, probe, specimen
from tests.unit.archives import BASE, archive, header, refused


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"probeGuess": np.zeros((N, N), np.complex64)}, "probeGuess.*zeros"),
        ({"probeGuess": probe() * np.nan}, "probeGuess.*NaN"),
        ({"probeGuess": probe().astype(np.complex128) * 1e300}, "probeGuess.*range"),
        ({"objectGuess": specimen((160, 176)).astype(np.complex128) * 1e200}, "objectGuess.*range"),
        ({"probeGuess": probe() * np.float32(1e-30)}, "probeGuess.*range"),
        ({"objectGuess": np.ones((160, 176), np.complex64)}, "objectGuess"),
        ({"objectGuess": np.zeros((160, 176), np.complex64)}, "objectGuess.*zeros"),
        ({"objectGuess": np.concatenate([specimen((80, 176)), np.zeros((80, 176))]).astype(np.complex64)}, "half"),
        ({"objectGuess": np.abs(specimen((160, 176)))}, "objectGuess.*complex"),
        ({"objectGuess": specimen((160, 176))[None]}, "objectGuess.*dimensions"),
        ({"objectGuess": specimen((60, 176))}, "object"),
        ({"probeGuess": np.roll(probe(), N // 2, axis=0)}, "probeGuess"),
        ({"objectGuess": b"no array"}, "objectGuess.*unreadable"),
        ({"objectGuess": header((160, -176))}, "objectGuess"),
        ({"objectGuess": header((160, 176), "|O") + bytes(100)}, "objectGuess.*pickled"),
        ({"objectGuess": header((160, 176), "<M8[s]") + bytes(8 * 160 * 176)}, "objectGuess.*complex"),
    ],
)  # fmt: skip
def test_a_base_that_cannot_be_measured_is_refused(tmp_path, changed, message):
    refused(load_base, archive(tmp_path / "base.npz", BASE | changed), message)

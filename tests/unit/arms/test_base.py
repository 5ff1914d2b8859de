"""What every arm inherits."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from studylib.arms import registry
from studylib.errors import InputError
from tests.asymmetric import scan_of

ARMS = list(registry.arms().values())


def test_an_arm_that_holds_all_patterns_refuses_what_does_not_fit(monkeypatch):
    """1e5 patterns, of which none is in memory."""
    free = SimpleNamespace(available=24 * 2**30)
    monkeypatch.setattr("studylib.machine.psutil.virtual_memory", lambda: free)
    many = np.broadcast_to(np.zeros((1, 128, 128), np.float32), (100_000, 128, 128))
    positions = np.random.default_rng(1).uniform(64, 900, (100_000, 2))
    scan = replace(scan_of(1000), diffraction=many, positions=positions, probe=np.ones((128, 128), np.complex64))
    scan = replace(scan, shape=(1024, 1024))
    for arm in ARMS:
        if arm.memory_mib(scan):
            with pytest.raises(
                InputError, match=r"100,000 patterns of 128 x 128 px.*about \d\d,\d\d\d MiB, and 24,576 MiB"
            ):
                arm.refuse_too_large(scan)
        else:
            arm.refuse_too_large(scan)
    assert [arm.key for arm in ARMS if arm.memory_mib(scan)] == [
        "ptychi",
        "ptychi_pinn",
        "ptychi_refining",
        "ptychi_prior",
    ]

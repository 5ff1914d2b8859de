"""Training, and when it is started again."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.learn.conftest import PINN

pytestmark = pytest.mark.timeout(300)


def test_a_collapse_is_restarted_once_and_recorded(learn, scan, monkeypatch):
    """That an arm did not learn is judged later, by counts that no arm was fitted to."""
    settings = PINN.model_copy(update={"steps": 2, "evaluations": 1, "width": 8})
    monkeypatch.setattr(learn.train, "flat_object_loss", lambda scan: -np.inf)
    trained = learn.train.train_pinn(scan, PINN.grouping, settings, 7, 123)
    assert trained.attempts == 2 and not trained.beats_flat and {r["attempt"] for r in trained.history} == {1, 2}

"""The folder of a run."""

from __future__ import annotations

import pytest

from studylib.errors import StageError
from studylib.run.hub import Hub


def test_a_file_outside_the_hub_is_not_recorded(tmp_path):
    hub = Hub(tmp_path / "hub").create()
    with pytest.raises(StageError, match="below the hub"):
        hub.relative(tmp_path / "other.json")

"""The stages, called as the notebooks call them."""

from __future__ import annotations

import pytest

from studylib import design
from studylib.errors import InputError
from studylib.run import stages
from studylib.run.hub import Hub


def test_shares_groups_and_repetitions_are_checked_before_any_file_is_read(tmp_path):
    hub = Hub(tmp_path / "hub")
    for given, message in (({"s_img": 2.0}, "s_img: got 2.0"), ({"n_groups": -1}, "n_groups: got -1")):
        with pytest.raises(InputError, match=message):
            stages.make_view(hub, "smoke", 1000, "dense", **given)
    for wrong in (1e9, -1, "\u0661", True):
        with pytest.raises(InputError, match="replicate: got"):
            design.check_replicate(wrong)
    assert design.check_dose("1e4") == 10_000 and design.check_dose("1000.0") == 1000

"""Options chosen on the scan itself, by its own counts: the stages."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from studylib.design import StudyDesign
from studylib.errors import InputError
from studylib.io import dataset
from studylib.io.files import read_json, write_json
from studylib.run import arm_stages
from studylib.run.hub import Hub
from tests.asymmetric import OBJECT, scan_of
from tests.unit.run.conftest import PATH


def write_view(hub: Hub, split: str) -> None:
    scan = scan_of(1000, seed=len(split))
    scan = replace(scan, metadata=scan.metadata | {"object_shape": OBJECT.shape, "split": split})
    dataset.save(hub.phase_d(1000, "dense", split), scan, OBJECT)


def test_what_was_chosen_on_the_scan_is_what_runs(tmp_path, monkeypatch):
    hub = Hub(tmp_path / "hub").create()
    design = StudyDesign.for_profile("smoke").model_copy(update={"arms": {"map": {"iterations": 15, "rounds": 1}}})
    write_json(hub / "analysis/design.json", design.model_dump(mode="json"))
    for split in ("train", "test"):
        write_view(hub, split)
    choice = arm_stages.select(hub, "smoke", 1000, "dense", "map")
    told = read_json(hub / PATH, "")
    assert told["settings"] == choice.settings and told["judged"] == choice.judged
    tried = {json.dumps(t["settings"]): t["loss"] for t in told["tried"]}
    assert len(tried) >= 5 and min(tried, key=tried.get) == json.dumps(told["settings"])
    other = told["settings"] | {"tv": 7.0}
    write_json(hub / PATH, told | {"settings": other})
    arm_stages.reconstruct(hub, "smoke", 1000, "dense", "test", "map", options="scan")
    with np.load(hub.phase_f(1000, "dense", "test", "map")) as made:
        ran = json.loads(str(made["_settings"]))
    assert ran["settings"]["tv"] == 7.0 and ran["settings"]["iterations"] == 15
    assert f"{len(tried)} candidates" in ran["settings_from"] and "this scan" in ran["settings_from"]


def test_a_choice_that_is_not_there_says_what_makes_it(tmp_path):
    hub = Hub(tmp_path / "hub").create()
    write_json(hub / "analysis/design.json", StudyDesign.for_profile("smoke").model_dump(mode="json"))
    write_view(hub, "test")
    with pytest.raises(InputError, match="03_select with arm=map"):
        arm_stages.reconstruct(hub, "smoke", 1000, "dense", "test", "pinn_map", options="scan")
    with pytest.raises(InputError, match="table or scan"):
        arm_stages.reconstruct(hub, "smoke", 1000, "dense", "test", "map", options="best")

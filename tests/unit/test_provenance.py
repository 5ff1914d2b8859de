from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest

from studylib import machine
from studylib.arms.registry import algorithm
from studylib.design import Seeds, StudyDesign
from studylib.errors import InputError, StageError
from studylib.evidence import mixture, response_schema, schema
from studylib.io.files import write_json, writing
from studylib.run import plan, provenance, stages
from studylib.run.hub import Hub
from studylib.run.mend import refuse_to_mix
from studylib.run.parameters import Run
from studylib.run.plan import design_stage, reconstruction_stage
from studylib.samples import built_in

ROOT = Path(__file__).resolve().parents[2]


def test_time_is_utc_whatever_the_zone(monkeypatch):
    import calendar
    import time

    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        now = provenance.utc_now()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", now)
        assert abs(calendar.timegm(time.strptime(now, "%Y-%m-%dT%H:%M:%SZ")) - time.time()) < 5
    finally:
        monkeypatch.undo()
        time.tzset()


def test_commands_document_is_recorded_or_refused(monkeypatch):
    monkeypatch.delenv("AUTHORITATIVE_CMDS_DOC", raising=False)
    assert provenance.commands_document() == "docs/TESTING_GUIDE.md"
    for value in ("docs/none.md", "/etc/hosts", "../elsewhere.md"):
        monkeypatch.setenv("AUTHORITATIVE_CMDS_DOC", value)
        with pytest.raises(InputError, match="AUTHORITATIVE_CMDS_DOC"):
            provenance.commands_document()


def test_a_stamp_holds_relative_names_and_hashes(tmp_path):
    hub = Hub(tmp_path / "hub").create()
    made = write_json(hub / "analysis/design.json", {"a": 1})
    path = provenance.stamp(hub, design_stage(Run(profile="smoke")), seconds=1.0, parameters={"more": 2})
    content = json.loads(path.read_text())
    assert content["outputs"] == {"analysis/design.json": provenance.sha256(made)}
    assert content["parameters"] == {"profile": "smoke", "replicate": 0, "changes": "", "more": 2}
    assert str(tmp_path) not in path.read_text()
    assert content["packages"]["torch"] and content["finished_at"].endswith("Z")
    assert content["processor"] and content["threads"] >= 1 and content["peak_memory_mib"] > 10
    assert content["device"] == machine.device()


def test_a_framework_that_is_not_installed_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("torch", "no-such-framework"))
    path = provenance.stamp(
        Hub(tmp_path / "hub").create(), replace(design_stage(Run()), outputs=[]), seconds=1.0, parameters={}
    )
    assert list(json.loads(path.read_text())["packages"]) == ["torch"]


def test_the_commit_is_unknown_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.git_state() == (None, None)


def test_the_device_is_the_gpu_where_there_is_one(monkeypatch):
    gpu = SimpleNamespace(is_available=lambda: True, get_device_name=lambda: "a GPU")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=gpu))
    assert machine.device() == "a GPU"
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert machine.device() == "cpu"


def test_a_stamp_without_an_output_of_the_plan_is_refused(tmp_path):
    with pytest.raises(StageError, match=r"00_design has no analysis/design.json"):
        provenance.stamp(Hub(tmp_path / "hub").create(), design_stage(Run()), seconds=1.0, parameters={})


def test_a_stamp_names_all_that_a_stage_reads(tmp_path):
    """Base and design too; a base from elsewhere is kept in the hub, another one is refused."""
    hub = Hub(tmp_path / "hub").create()
    stages.write_design(hub, "smoke")
    sample = built_in(StudyDesign.for_profile("smoke").sample, Seeds(), "phase", "smooth")
    base = tmp_path / "mine.npz"
    np.savez(base, objectGuess=sample.object, probeGuess=sample.probe)
    stages.generate(hub, "smoke", 1000, str(base))
    inputs = provenance.stamps(hub)["01_generate_dose1000"]["inputs"]
    assert inputs == {name: provenance.sha256(hub / name) for name in ("analysis/design.json", "data/base/base.npz")}
    assert inputs["data/base/base.npz"] == provenance.sha256(base)
    stages.generate(hub, "smoke", 1000, "data/base/base.npz")  # as the graph gives it
    with pytest.raises(InputError, match="nowhere"):
        stages.generate(hub, "smoke", 1000, "nowhere.npz")
    np.savez(base, objectGuess=sample.object * 0.9, probeGuess=sample.probe)
    with pytest.raises(InputError, match="another hub"):
        stages.generate(hub, "smoke", 1000, str(base))


def _stamped(hub: Hub, algorithm: str) -> Hub:
    hub.create()
    write_json(hub / "analysis/design.json", StudyDesign.for_profile("smoke").model_dump(mode="json"))
    stage = replace(reconstruction_stage(Run(), "test", "map"), inputs=[], outputs=[])
    provenance.stamp(hub, stage, seconds=1.0, parameters={"algorithm": algorithm})
    return hub


def test_two_algorithms_under_one_name_are_refused(tmp_path):
    hubs = {name: _stamped(Hub(tmp_path / name), code) for name, code in (("one", "a" * 16), ("two", "b" * 16))}
    with pytest.raises(StageError, match=r"algorithm of MAP of one/04_rec.* is not that of two/04_rec"):
        mixture.check(hubs)
    mixture.check({"one": hubs["one"], "again": hubs["one"]})


def test_two_profiles_in_one_table_are_refused(tmp_path):
    hubs = {name: _stamped(Hub(tmp_path / name), "a" * 16) for name in ("one", "two")}
    design = StudyDesign.for_profile("smoke", replicate=3).model_dump(mode="json")
    write_json(hubs["two"] / "analysis/design.json", design)
    mixture.check(hubs)  # another replicate has other seeds, and that is all
    write_json(hubs["two"] / "analysis/design.json", StudyDesign.for_profile("laptop").model_dump(mode="json"))
    with pytest.raises(StageError, match="design of one is not that of two"):
        mixture.check(hubs)


def test_images_by_other_code_are_not_added_to(tmp_path):
    hub, run = Hub(tmp_path / "hub").create(), Run(profile="smoke", arms=("map",))
    done = reconstruction_stage(run, "train", "map")
    (hub / done.outputs[0]).parent.mkdir(parents=True)
    (hub / done.outputs[0]).touch()
    mine = replace(done, inputs=[])
    provenance.stamp(hub, mine, seconds=1.0, parameters={"algorithm": algorithm("map")})
    refuse_to_mix(hub, plan.stages(run))
    provenance.stamp(hub, mine, seconds=1.0, parameters={"algorithm": "0" * 16})
    with pytest.raises(InputError, match="images of MAP by this code"):
        refuse_to_mix(hub, plan.stages(run))
    refuse_to_mix(hub, [done])  # nothing of that arm is left to run


def test_a_file_outside_the_hub_is_not_recorded(tmp_path):
    hub = Hub(tmp_path / "hub").create()
    with pytest.raises(StageError, match="below the hub"):
        hub.relative(tmp_path / "other.json")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="disk"), writing(path, "w") as file:
        file.write("half of the n")
        raise RuntimeError("disk full")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_not_a_number_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"ms_ssim": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "model"), [("metrics_delta_summary", schema.DeltaSummary), ("response", response_schema.Response)]
)
def test_the_published_schema_is_the_one_in_force(name, model):
    published = json.loads((ROOT / f"docs/schemas/{name}.schema.json").read_text())
    assert published == model.model_json_schema(), (
        f"python -m studylib schema --of {name} > docs/schemas/{name}.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(published)

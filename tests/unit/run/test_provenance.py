"""Where a file comes from: the stamps of the stages."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from studylib import machine
from studylib.design import Seeds, StudyDesign
from studylib.errors import InputError, StageError
from studylib.io.files import write_json
from studylib.run import provenance, stages
from studylib.run.hub import Hub
from studylib.run.parameters import Run
from studylib.run.plan import design_stage
from studylib.samples import built_in


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

"""One table, one algorithm under a name, and one profile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studylib.design import StudyDesign
from studylib.errors import StageError
from studylib.evidence import mixture
from studylib.io.files import write_json
from studylib.run import provenance
from studylib.run.hub import Hub
from studylib.run.parameters import Run
from studylib.run.plan import reconstruction_stage


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

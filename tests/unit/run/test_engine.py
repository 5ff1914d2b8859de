"""Which conditions a stage that fails concerns."""

from __future__ import annotations

from studylib.run.engine import concerned
from studylib.run.study import Study, graph
from tests.unit.run.conftest import GIVEN


def test_a_shared_stage_that_fails_concerns_the_conditions_that_link_it():
    plan = graph(Study.checked(**GIVEN))
    failed = [s for s in plan if s.key == "phase_smooth_r1/01_generate_dose1000"]
    hubs = {s.hub for s in plan if s.notebook == "02_overlap"}
    lost = {hub for hub in hubs if concerned(failed, [s for s in plan if s.hub == hub])}
    assert lost == {"phase_smooth_r1/dose_1000_dense", "phase_smooth_r1/dose_1000_sparse"}

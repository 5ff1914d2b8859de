from __future__ import annotations

import pytest

from studylib.errors import InputError, StageError
from studylib.evidence import sweep, writer
from studylib.io.files import write_json
from tests.unit.fake_hub import fabricate


@pytest.fixture
def hubs(tmp_path, scan, specimen):
    """Two verified replicates and one that failed."""
    folders = []
    for replicate in range(3):
        hub = fabricate(tmp_path / f"hub{replicate}", scan, specimen.object, splits=("test",))
        write_json(hub / "plan/run.json", {"dose": 1000, "view": "dense", "replicate": replicate})
        if replicate < 2:
            writer.write_evidence(hub, 1000, "dense", ["test"])
            write_json(hub / "analysis/verification_report.json", {"ok": True})
        else:
            (hub / "cli/run_phase_g_dense.log").write_text("[1/8] design\nFAILED: Baseline collapsed 2 times\n")
        folders.append(hub.root)
    return folders


def test_a_failed_hub_is_listed_and_the_others_are_averaged(hubs):
    conditions, failed = sweep.read_hubs(hubs)
    text = sweep.table(conditions, failed)
    assert "| 1000 | dense | PtychoPINN | 0.910 ± 0.000 | 0.810 ± 0.000 |" in text
    assert "- failed: 1000 dense, replicate 2: Baseline collapsed 2 times" in text
    assert "- no result: 100000 sparse" in text


def test_only_failures_make_no_table(hubs):
    with pytest.raises(StageError, match="no verified hub"):
        sweep.table(*sweep.read_hubs(hubs[2:]))


def test_one_replicate_counts_once(hubs):
    with pytest.raises(InputError, match="one hub a condition"):
        sweep.read_hubs([hubs[0], hubs[0]])


@pytest.mark.parametrize(
    ("deltas", "words"),
    [
        ([0.02, 0.03, 0.025], "+0.025 ± 0.005, ahead"),
        ([-0.02, -0.03, -0.025], "-0.025 ± 0.005, behind"),
        ([0.01, -0.01, 0.09], "undecided"),
        ([0.01, 0.2, 0.01], "undecided"),
        ([0.02], "+0.020, one replicate"),
    ],
)
def test_ahead_only_when_all_agree_beyond_the_spread(deltas, words):
    assert words in sweep.judge(deltas)

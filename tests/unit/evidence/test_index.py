from __future__ import annotations

import pytest
from filelock import FileLock

from studylib.evidence import index, writer
from studylib.evidence.writer import DELTAS
from studylib.io.files import write_json, write_text
from studylib.run.hub import Hub
from tests.unit.fake_hub import fabricate


@pytest.fixture
def reports(tmp_path, scan, specimen):
    """A complete run, a failed one, a stale one and one that has only begun."""
    for name in ("good", "bad", "old"):
        hub = fabricate(tmp_path / name, scan, specimen.object, splits=("test",))
        write_json(hub / "plan/run.json", {"dose": 1000, "view": "dense", "profile": "smoke"})
        writer.write_evidence(hub, 1000, "dense", ["test"])
        write_json(hub / "analysis/verification_report.json", {"ok": name != "old", "problems": ["a.npz was changed"]})
    write_text(tmp_path / "good/analysis/report.html", "<html></html>")
    write_text(tmp_path / "bad/analysis/blocker.txt", "command: x")
    write_text(tmp_path / "bad/cli/run_phase_g_dense.log", "FAILED: <script>alert(1)</script> is flat\n")
    begun = Hub(tmp_path / "sweep/begun").create()
    write_json(begun / "plan/run.json", {"dose": 10, "view": "sparse", "profile": "<b>"})
    return tmp_path


def test_every_run_is_listed_with_its_status(reports):
    text = index.write(reports).read_text()
    assert '<a href="good/analysis/report.html">good</a>' in text and ">sweep/begun<" in text
    assert "<td>+0.015</td>" in text and "<td>complete</td>" in text and "<td>unfinished</td>" in text
    assert "stale: a.npz was changed" in text and "failed: &lt;script&gt;" in text
    assert "<script>alert" not in text and "<b>" not in text and str(reports) not in text


def test_a_held_lock_means_running(reports):
    with FileLock(f"{reports}/good.lock"):
        assert index.status(Hub(reports / "good")) == "running"
    assert index.status(Hub(reports / "good")) == "complete"


def test_no_runs_say_how_to_make_one(tmp_path):
    assert "make dense-evidence" in index.write(tmp_path).read_text()


@pytest.mark.parametrize("name", ["plan/run.json", "analysis/verification_report.json", DELTAS])
def test_a_damaged_hub_is_listed_as_damaged_beside_the_others(reports, name):
    write_text(reports / "bad/analysis/blocker.txt", "").unlink()
    for text in ("{", '{"dose": "<b>", "ok": 7}', "[]", "null"):
        write_text(reports / "bad" / name, text)
        rows = {r.cells["hub"]: r for r in (index.row(Hub(p), reports) for p in index.find(reports))}
        assert rows["bad"].cells["status"].startswith("damaged: ") and rows["good"].cells["status"] == "complete"
        assert "damaged: " in index.write(reports).read_text()

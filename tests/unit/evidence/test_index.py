from __future__ import annotations

import pytest
from filelock import FileLock

from studylib.evidence import index, writer
from studylib.evidence.writer import DELTAS
from studylib.io.files import write_json, write_text
from studylib.run.hub import Hub
from studylib.run.study import Study
from tests.unit.fake_hub import fabricate, status


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


def test_the_best_arm_of_a_run_is_named_and_one_that_did_not_learn_is_not(reports):
    assert "<td>PtychoPINN 0.910</td>" in index.write(reports).read_text()
    hub = Hub(reports / "good")
    write_json(hub.comparison(1000, "dense", "test") / "status.json", status(PtychoPINN="no gain"))
    writer.write_evidence(hub, 1000, "dense", ["test"])
    assert index.row(hub, reports).cells["best"] == "Baseline 0.895"


def test_a_study_is_listed_with_what_it_varies_who_wins_and_what_failed(reports):
    plan = Study(doses=(1000, 10000), views=("dense",))
    write_json(reports / "study/plan/study.json", plan.model_dump(mode="json"))
    rows = {r.cells["hub"]: r for r in index.listing(reports)}
    assert rows["study"].cells["status"] == "unfinished" and rows["study"].cells["dose"] == "1000 10000"
    told = {
        "generated_at": "2026-01-01T00:00:00Z", "failed": [],
        "winners": [{"best": "MAP"}, {"best": "MAP"}, {"best": None}, {"best": "PtyChi"}],
    }  # fmt: skip
    write_json(reports / "study/analysis/response.json", told)
    write_text(reports / "study/analysis/response.html", "<html></html>")
    row = {r.cells["hub"]: r for r in index.listing(reports)}["study"]
    assert row.cells["best"] == "MAP 2x, PtyChi 1x" and row.cells["status"] == "complete"
    assert '<a href="../reports/study/analysis/response.html">study</a>' in index.shown(reports, "../reports").data
    write_json(reports / "study/analysis/response.json", told | {"failed": [{"folder": "a/b", "reason": "flat"}]})
    assert index.study_row(Hub(reports / "study"), reports).cells["status"] == "failed: 1 of its conditions, first a/b"
    write_text(reports / "study/analysis/response.json", "{}")
    assert index.study_row(Hub(reports / "study"), reports).cells["status"].startswith("damaged: ")
    assert "<script>" not in index.shown(reports, "..").data


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

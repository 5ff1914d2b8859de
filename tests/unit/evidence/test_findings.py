"""What a reader of the report is told of one condition in words."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.evidence import findings, writer
from studylib.io.files import read_json, write_json
from studylib.judge.compare import SAW_REFERENCE
from tests import asymmetric
from tests.unit.fake_hub import fabricate, status


@pytest.fixture
def hub(tmp_path):
    """A fabricated hub: PtychoPINN has phase MS-SSIM 0.91, Baseline 0.895, PtyChi 0.7; PtyChi the best amplitude."""
    scan = asymmetric.scan_of(1000)
    return fabricate(tmp_path / "hub", scan, np.ones(scan.shape, np.complex64))


def told(hub):
    return writer.write_evidence(hub, 1000, "dense", ["train", "test"])


def test_the_best_arm_its_ties_and_the_order_of_the_others_are_said_for_each_channel(hub):
    words = findings.found(hub, told(hub)).data
    assert "PtychoPINN has the best image: MS-SSIM 0.910, mean absolute error 0.0900 rad." in words
    assert "Behind it: Baseline (0.895) and PtyChi (0.700)." in words
    assert "PtyChi has the best image: MS-SSIM 0.850" in words, "of the amplitude"
    assert "The best constant image has 0.100." in words and "The best constant image has 0.200." in words


def test_less_than_the_margin_is_a_tie_and_the_limit_is_named_where_there_is_one(hub, monkeypatch):
    evidence = told(hub)
    monkeypatch.setattr(findings, "TIE", 0.02)
    folder = hub.comparison(1000, "dense", "test")
    write_json(folder / "limit.json", {"phase_wiener": 0.045, "amplitude_wiener": None})
    words = findings.found(hub, evidence).data
    assert "Baseline is less than 0.02 behind: a tie. Behind them: PtyChi (0.700)" in words
    assert "0.0900 rad, which is 2.00 times the error of Wiener&#x27;s, the best linear estimator" in words


def test_an_arm_that_did_not_learn_or_saw_the_reference_is_not_called_best(hub):
    folder = hub.comparison(1000, "dense", "test")
    seen = status(PtychoPINN="no gain")
    seen["arms"]["Baseline"]["reason"] = SAW_REFERENCE
    write_json(folder / "status.json", seen)
    words = findings.found(hub, told(hub)).data
    assert "PtyChi has the best image: MS-SSIM 0.700" in words
    assert "PtychoPINN: did not learn, no gain" in words and SAW_REFERENCE in words
    shown = findings.score_table(hub, told(hub)).data
    assert "<strong>0.7000</strong>" not in shown.partition("<details>")[2] and "did not learn" in shown


def test_a_channel_without_contrast_has_no_best_arm_but_a_reason(hub):
    evidence = told(hub)
    path = hub / "analysis/metrics_summary.json"
    job = read_json(path, "")
    for one in job["jobs"]:
        one["channels"]["amplitude"] = "the truth has <no> contrast"
    write_json(path, job)
    words = findings.found(hub, evidence).data
    assert "There are no scores: the truth has &lt;no&gt; contrast." in words


def test_the_judged_split_comes_first_and_the_other_is_folded_away(hub):
    evidence = told(hub)
    for shown in (findings.score_table(hub, evidence).data, findings.delta_table(evidence).data):
        first, _, second = shown.partition("<details>")
        assert "test split" in first and "train split" not in first and "train split" in second
    assert "+0.210" in findings.delta_table(evidence).data, "PtychoPINN - PtyChi, with its sign"


def test_without_ptychopinn_the_arms_are_ranked_and_no_delta_is_invented(hub):
    """A run of two arms: the report still says which one is better, and nothing of arms that were not run."""
    for split in ("train", "test"):
        folder = hub.comparison(1000, "dense", split)
        only = status()
        only["arms"] = {name: only["arms"][name] for name in ("Baseline", "PtyChi")}
        write_json(folder / "status.json", only)
        rows = (folder / "comparison_metrics.csv").read_text().splitlines(keepends=True)
        (folder / "comparison_metrics.csv").write_text("".join(r for r in rows if not r.startswith("PtychoPINN,")))
    evidence = told(hub)
    words = findings.found(hub, evidence).data
    assert "Baseline has the best image: MS-SSIM 0.895" in words and "PtychoPINN" not in words
    assert "None: PtychoPINN is not compared" in findings.delta_table(evidence).data
    lines = findings.in_brief(hub)
    assert lines[0] == "phase MS-SSIM, test split: Baseline 0.895, PtyChi 0.700, constant 0.100" and len(lines) == 2


def test_a_terminal_is_told_the_order_of_the_arms_and_the_deltas(hub):
    told(hub)
    lines = findings.in_brief(hub)
    assert lines[1].startswith("amplitude MS-SSIM, test split: PtyChi 0.850, PtychoPINN 0.810")
    assert any("PtychoPINN - Baseline" in line and "+0.015" in line for line in lines)

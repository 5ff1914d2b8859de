"""The delta file, the digest and the texts, as existing readers of the study expect them."""

from __future__ import annotations

import csv
import json
import re

import pytest

from studylib.errors import StageError
from studylib.evidence import digest, schema, writer
from studylib.evidence.grid import validate_preview
from studylib.io.files import write_json, write_table
from tests.unit.fake_hub import fabricate, status


@pytest.fixture
def hub(tmp_path, scan, specimen):
    return fabricate(tmp_path / "hub", scan, specimen.object)


def test_analyze_dense_metrics_success_digest(hub):
    stale = hub / writer.DELTAS
    stale.write_text('{"generated_at": "2020-01-01T00:00:00Z", "deltas": "stale"}')
    content = writer.write_evidence(hub, 1000, "dense", ["train", "test"])
    again = json.loads(stale.read_text())
    assert again == content and again["deltas"] != "stale"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", again["generated_at"]) and again["generated_at"] > "2026"
    assert again["source_metrics"] == "analysis/metrics_summary.json"
    assert again["deltas"]["vs_Baseline"]["ms_ssim"]["phase"] == pytest.approx(0.015)
    assert again["deltas"]["vs_PtyChi"]["mae"]["phase"] == pytest.approx(-0.21)
    text = (hub / "analysis/metrics_digest.md").read_text()
    for part in (
        "# Phase G Dense Metrics Digest", "## Pipeline Summary", "## Highlights", "Successful: 2", "Failed: 0",
        "✓ ALL COMPARISONS SUCCESSFUL ✓", "| Baseline | 0.800 | 0.895 | OK |", "| PtyChi | 0.850 | 0.700 | LOW |",
    ):  # fmt: skip
        assert part in text
    summary = json.loads((hub / writer.SUMMARY).read_text())
    assert digest.exit_status(summary) == 0
    assert summary["aggregate_metrics"]["PtychoPINN"]["ms_ssim"]["best_phase"] == 0.91


def test_highlights_have_their_exact_form(hub):
    writer.write_evidence(hub, 1000, "dense", ["test"])
    lines = (hub / "analysis/metrics_delta_highlights.txt").read_text().splitlines()
    assert lines[0] == "MS-SSIM Δ (PtychoPINN - Baseline)  : amplitude +0.010  phase +0.015"
    assert lines[2] == "MAE Δ (PtychoPINN - Baseline)      : amplitude -0.010000  phase -0.015000"
    assert len(lines) == 4 and all(line[35:37] == ": " for line in lines)
    preview = (hub / "analysis/metrics_delta_highlights_preview.txt").read_text()
    assert preview.splitlines()[3] == "MAE Δ (PtychoPINN - PtyChi): -0.210000" and "amplitude" not in preview
    grid = (hub / "analysis/ssim_grid_summary.md").read_text()
    assert grid.startswith("# SSIM Grid Summary (Phase-Only)") and "amplitude" not in grid.lower()
    with pytest.raises(StageError, match="phase-only"):
        validate_preview(preview.replace("MAE", "mae"))


def test_an_incomplete_table_fails_and_unlinks_the_stale_delta_file(hub):
    stale = hub / writer.DELTAS
    stale.write_text("{}")
    table = hub.comparison(1000, "dense", "test") / "comparison_metrics.csv"
    table.write_text(table.read_text().replace("PtyChi,ssim,", "PtyChi,other,"))
    with pytest.raises(StageError, match="PtyChi ssim is incomplete"):
        writer.write_evidence(hub, 1000, "dense", ["train", "test"])
    assert not stale.exists()


@pytest.mark.parametrize("bad", ["nan", "inf", ""])
def test_a_number_that_is_none_is_no_row(hub, bad):
    table = hub.comparison(1000, "dense", "test") / "comparison_metrics.csv"
    lines = table.read_text().splitlines()
    lines[1] = f"PtychoPINN,mae,{bad},0.1,"
    table.write_text("\n".join(lines) + "\n")
    with pytest.raises(StageError, match=r"not finite|incomplete"):
        writer.write_evidence(hub, 1000, "dense", ["test"])


def test_deltas_that_break_their_schema_are_dumped_and_the_stale_file_stays(hub):
    stale = hub / writer.DELTAS
    stale.write_text("{}")
    good = writer.write_evidence(hub, 1000, "dense", ["test"])
    kept = stale.read_text()
    with pytest.raises(StageError, match="blocker_metrics_delta"):
        more = {name: good[name] for name in ("deltas_by_arm", "status")}
        origin = good["provenance"] | {"inputs": {"/abs/x": "0" * 64}}
        writer.write_deltas(hub, good["deltas_by_split"], "test", origin, more)
    assert stale.read_text() == kept
    assert json.loads((hub / writer.BLOCKER).read_text())["problems"]


def test_a_failed_job_shows_in_digest_and_exit_status(hub):
    writer.write_evidence(hub, 1000, "dense", ["train", "test"])
    summary = json.loads((hub / writer.SUMMARY).read_text()) | {"n_jobs": 3, "n_failed": 1}
    text = digest.digest(summary, None, "test")
    assert "⚠️ FAILURES PRESENT ⚠️" in text and "1 of 3 comparison job(s) failed" in text
    assert digest.exit_status(summary) == 1


def test_the_published_schema_accepts_the_delta_file(hub):
    import jsonschema

    content = writer.write_evidence(hub, 1000, "dense", ["test"])
    jsonschema.validate(content, schema.DeltaSummary.model_json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"surprise": 1}, schema.DeltaSummary.model_json_schema())


def test_an_arm_that_did_not_learn_has_no_delta_and_says_so(hub):
    """The contract's texts say n/a, the schema accepts null, and the other arm's deltas stand."""
    write_json(hub.comparison(1000, "dense", "test") / "status.json", status(Baseline="no gain over a constant object"))
    content = writer.write_evidence(hub, 1000, "dense", ["test"])
    assert content["deltas"]["vs_Baseline"]["ms_ssim"] == {"amplitude": None, "phase": None}
    assert content["deltas"]["vs_PtyChi"]["ms_ssim"]["phase"] == pytest.approx(0.21)
    lines = (hub / "analysis/metrics_delta_highlights.txt").read_text().splitlines()
    assert lines[0] == "MS-SSIM Δ (PtychoPINN - Baseline)  : amplitude n/a  phase n/a"
    digest_text = (hub / "analysis/metrics_digest.md").read_text()
    assert "| Baseline | 0.800 | 0.895 | DID NOT LEARN |" in digest_text and "no gain over a constant" in digest_text


def test_a_channel_without_contrast_has_no_scores_and_a_reason(hub):
    folder = hub.comparison(1000, "dense", "test")
    told = status() | {"channels": {"amplitude": "the truth's amplitude is constant", "phase": ""}}
    write_json(folder / "status.json", told)
    with (folder / "comparison_metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["amplitude"] = ""
    write_table(folder / "comparison_metrics.csv", rows)
    content = writer.write_evidence(hub, 1000, "dense", ["test"])
    assert content["deltas"]["vs_PtyChi"]["mae"]["amplitude"] is None
    assert content["deltas"]["vs_PtyChi"]["mae"]["phase"] == pytest.approx(-0.21)
    assert (
        "amplitude: no scores, the truth's amplitude is constant" in (hub / "analysis/metrics_summary.md").read_text()
    )

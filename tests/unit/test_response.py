"""Numbers of a response: known answers."""

from __future__ import annotations

import math

import pytest

from studylib.judge import response


def test_the_interval_of_differences_is_student_s():
    # t(0.975, 3) = 3.18245; differences 1, 2, 3, 4: mean 2.5, standard error sqrt(5/3)/2
    told = response.spread([1.0, 2.0, 3.0, 4.0])
    half = 3.182446305 * math.sqrt(5 / 3) / 2
    assert told.mean == 2.5 and told.low == pytest.approx(2.5 - half) and told.high == pytest.approx(2.5 + half)
    alone = response.spread([0.7])
    assert (alone.mean, alone.low, alone.high, alone.number) == (0.7, None, None, 1)


def test_the_dose_that_is_needed_lies_between_two_measured_ones_or_is_not_told():
    doses, scores = (1e3, 1e4, 1e5), (0.5, 0.7, 0.9)
    assert response.needed(doses, scores, 0.6) == pytest.approx(10**3.5)
    assert response.needed(doses, scores, 0.9) == pytest.approx(1e5)
    assert response.needed(doses, scores, 0.95) is None
    assert response.needed(doses, scores, 0.4) is None, "reached below the first dose: where is not known"
    assert response.needed(doses, (0.9, 0.7, 0.95), 0.8) == pytest.approx(10**4.4), "the first crossing upward"


def test_a_score_at_equal_fluence_is_interpolated_and_never_extrapolated():
    assert response.at((1.0, 100.0), (0.2, 0.6), 10.0) == pytest.approx(0.4)
    assert response.at((1.0, 100.0), (0.2, 0.6), 101.0) is None and response.at((1.0,), (0.2,), 1.0) is None


def test_ties_are_told_by_the_paired_difference():
    # B is 0.02 behind in every replicate, although the replicates differ by 0.2; C scatters about A.
    scores = {"A": [0.7, 0.8, 0.9], "B": [0.68, 0.78, 0.881], "C": [0.75, 0.74, 0.89]}
    assert response.winners(scores) == ("A", "C")
    assert response.winners({"A": [0.9], "B": [0.896], "C": [0.89]}) == ("A", "B")
    assert response.winners({}) == ()


def test_a_study_whose_conditions_all_failed_is_drawn_and_says_why(tmp_path):
    """The page must come, or its own failure would hide the reason of the others."""
    from studylib.evidence import gallery, response_findings, response_page
    from studylib.evidence.response_schema import Failed, Response
    from studylib.run.study import Study

    study = Study(doses=(1000,), views=("dense",))
    told = Response(
        generated_at="2026-01-01T00:00:00Z", study=study.model_dump(mode="json"), split="test", rows=[], points=[],
        deltas=[], needed=[], equal_fluence=[], winners=[], tables={},
        failed=[Failed(folder=folder, reason="too coarse") for folder in study.conditions()],
    )  # fmt: skip
    assert "too coarse" in response_findings.verdict(told).data
    assert "Simulated" in response_findings.ends(told).data and "1,000" in response_findings.asked(told).data
    response_findings.winner_map(told).savefig(tmp_path / "map.png")
    for draw in (response_page.dose_response, response_page.overlap_response, response_page.fluence_response):
        draw(told).savefig(tmp_path / "drawn.png")
    for table in (response_page.scores, response_page.winners, response_page.needed, response_page.equal_fluence):
        assert "None" in table(told).data
    assert "None" in gallery.pictures(tmp_path, told).data


def test_an_arm_that_saw_the_reference_is_never_the_best():
    """Of a measured scan: what it remembers may be all that it shows."""
    from studylib.evidence.response import winners
    from studylib.evidence.response_schema import Row
    from studylib.judge.compare import SAW_REFERENCE

    def row(arm: str, score: float, note: str = "") -> Row:
        scores = dict.fromkeys([n for n in Row.model_fields if n.startswith(("phase_", "amplitude_"))], score)
        where = {"sample": "scan.cxi", "probe": "measured", "view": "sparse", "dose": 1000, "replicate": 0}
        return Row(**where, arm=arm, status="ok", note=note, fluence=0.3, positions=41, seconds=1.0, **scores)

    told = winners([row("Baseline", 0.9, f"its start; {SAW_REFERENCE}"), row("MAP", 0.55), row("PtyChi", 0.549)])
    assert told[0].best == "MAP" and told[0].ties == ["PtyChi"]


def test_how_often_counts_chose_the_start_of_a_network_is_told():
    from studylib.evidence import response_findings
    from studylib.evidence.response_schema import Response, Row
    from studylib.run.study import Study

    def row(dose: int, note: str) -> Row:
        scores = dict.fromkeys([n for n in Row.model_fields if n.startswith(("phase_", "amplitude_"))], 0.5)
        where = {"sample": "leaves", "probe": "smooth", "view": "dense", "dose": dose, "replicate": 0}
        told = {"arm": "Unrolled", "status": "ok", "note": note, "fluence": 1.0, "positions": 9, "seconds": 1.0}
        return Row(**where, **told, **scores)

    told = Response(
        generated_at="2026-01-01T00:00:00Z", study=Study(doses=(1000,)).model_dump(mode="json"), split="test",
        rows=[row(1_000, "its <start>"), row(10_000, ""), row(100_000, "its <start>")], points=[], deltas=[],
        needed=[], equal_fluence=[], winners=[], tables={}, failed=[],
    )  # fmt: skip
    assert "Unrolled, 2 times: its &lt;start&gt;" in response_findings.verdict(told).data

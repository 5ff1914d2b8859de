"""The page of a response."""

from __future__ import annotations


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

"""The numbers of a response, from the tables of its conditions."""

from __future__ import annotations


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

"""What the report says in words and pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from studylib import figures
from studylib.arms.registry import CONTRACT as MODELS
from studylib.evidence import findings, page
from studylib.judge.compare import Comparison
from tests import asymmetric


def evidence(ms_ssim: float, mae: float) -> dict:
    pair = {"ms_ssim": {"amplitude": 0.0, "phase": ms_ssim}, "mae": {"amplitude": 0.0, "phase": mae}}
    return {
        "deltas_by_split": {"test": {"vs_Baseline": pair, "vs_PtyChi": pair}}, "deltas_split": "test",
        "deltas_by_arm": {"test": {"MAP": pair}},
        "status": {
            "test": {
                "Baseline": {"status": "did not learn", "reason": "<b>no gain"},
                **{name: {"status": "ok", "reason": ""} for name in ("PtychoPINN", "MAP")},
            }
        },
        "provenance": {"dose": 1000, "view": "<script>"},
    }  # fmt: skip


def test_the_verdict_turns_with_the_sign_and_is_escaped():
    ahead = findings.verdict(evidence(0.1, -0.01)).data
    assert "ahead in MS-SSIM (+0.100) and ahead in MAE (-0.010000)" in ahead
    behind = findings.verdict(evidence(-0.1, 0.01)).data
    assert "behind in MS-SSIM (-0.100) and behind in MAE (+0.010000)" in behind
    assert "<script>" not in ahead and "against MAP it is" in ahead
    assert "PtyChi" not in ahead, "it was not run"
    assert "Baseline: did not learn, &lt;b&gt;no gain" in ahead


def test_a_base_called_script_runs_none(tmp_path, specimen):
    """From the file's name through a real stage and the provenance to the table of the report."""
    from studylib.run import provenance, stages
    from studylib.run.hub import Hub

    base = tmp_path / "<script>alert(1)<script>.npz"
    np.savez(base, probeGuess=specimen.probe, objectGuess=np.pad(specimen.object, 32, mode="wrap"))
    hub = Hub(tmp_path / "hub").create()
    stages.write_design(hub, "smoke")
    stages.generate(hub, "smoke", 1000, base=str(base))
    told = provenance.collect(hub, dose=1000, view="dense", splits=["test"])
    assert told["sample"] == base.name
    shown = page.provenance_table({"generated_at": "", "source_metrics": "", "provenance": told}).data
    assert "<script" not in shown and "&lt;script&gt;alert(1)" in shown


def test_the_arms_share_one_colour_scale_and_name_every_model():
    generator = np.random.default_rng(0)
    truth = (0.9 * np.exp(1j * generator.random((60, 120)))).astype(np.complex64)
    images = {m: (truth * (1 + 0.1 * i)).astype(np.complex64) for i, m in enumerate(MODELS)}
    drawn = figures.arms(Comparison(truth, np.angle(truth), images, [], {}, {}, {}, []), "amplitude")
    shown = [a for a in drawn.axes if a.images and a.images[0].get_cmap().name == "gray"]
    assert len(shown) == 8 and len({a.images[0].get_clim() for a in shown}) == 1
    assert {a.get_ylabel() for a in drawn.axes} >= {"truth", *MODELS}
    measured = Comparison(truth, np.angle(truth), images, [], {}, {}, {}, [], "reference")
    words = [text for a in figures.arms(measured, "phase").axes for text in (a.get_ylabel(), a.get_title())]
    assert "reference" in words and "error: arm - reference" in words and "truth" not in " ".join(words)


def test_the_light_of_a_scan_that_is_both_halves_is_drawn_once_and_its_mask_is_seen():
    """Of a measured scan training and test half are one: each photon has fallen once."""
    mask = np.ones((asymmetric.N,) * 2, dtype=bool)
    mask[9, 20] = False
    scan = replace(asymmetric.scan_of(1000), mask=mask)
    alone = figures.scan_map({"test": scan.positions}, scan)
    both = figures.scan_map({split: scan.positions for split in ("train", "test")}, scan)
    light = [
        max(float(a.images[0].get_array().max()) for a in f.axes if a.get_title() == "illumination")
        for f in (alone, both)
    ]
    assert light[0] == light[1] > 0
    drawn = next(a for a in both.axes if a.get_title().startswith("mean pattern"))
    assert drawn.images[0].get_array().mask[9, 20] and drawn.images[0].get_array().mask.sum() == 1
    assert "1 pixel is not trusted" in drawn.get_title()
    shown = figures.patterns(scan.counts, mask=mask).axes[0].images[0].get_array()
    assert shown.mask[9, 20] and shown.mask.sum() == 1


def test_what_has_to_be_known_of_an_arm_that_is_compared_stands_beside_the_verdict():
    told = evidence(0.1, -0.01)
    told["status"]["test"] |= {
        "Unrolled": {"status": "ok", "reason": "its start"}, "MAP": {"status": "ok", "reason": ""},
    }  # fmt: skip
    shown = findings.verdict(told).data
    assert "Unrolled: ok, its start" in shown and "MAP: ok" not in shown

"""What the report says in words and pictures."""

from __future__ import annotations

import numpy as np

from studylib import figures
from studylib.arms.registry import CONTRACT as MODELS
from studylib.evidence import page
from studylib.judge.compare import Comparison


def evidence(ms_ssim: float, mae: float) -> dict:
    pair = {"ms_ssim": {"amplitude": 0.0, "phase": ms_ssim}, "mae": {"amplitude": 0.0, "phase": mae}}
    return {
        "deltas": {"vs_Baseline": pair, "vs_PtyChi": pair}, "deltas_split": "test",
        "deltas_by_arm": {"test": {"MAP": pair}},
        "status": {"test": {"Baseline": {"status": "did not learn", "reason": "<b>no gain"}}},
        "provenance": {"dose": 1000, "view": "<script>"},
    }  # fmt: skip


def test_the_verdict_turns_with_the_sign_and_is_escaped():
    ahead = page.verdict(evidence(0.1, -0.01)).data
    assert "ahead in MS-SSIM (+0.100) and ahead in MAE (-0.010000)" in ahead
    behind = page.verdict(evidence(-0.1, 0.01)).data
    assert "behind in MS-SSIM (-0.100) and behind in MAE (+0.010000)" in behind
    assert "<script>" not in ahead and "against MAP it is" in ahead
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

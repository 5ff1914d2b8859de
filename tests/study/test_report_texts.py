"""What the report says in words and pictures."""

from __future__ import annotations

import numpy as np

from studylib import figures
from studylib.compare import Comparison
from studylib.design import MODELS
from studylib.evidence import page


def evidence(ms_ssim: float, mae: float) -> dict:
    pair = {"ms_ssim": {"amplitude": 0.0, "phase": ms_ssim}, "mae": {"amplitude": 0.0, "phase": mae}}
    return {
        "deltas": {"vs_Baseline": pair, "vs_PtyChi": pair}, "deltas_split": "test",
        "provenance": {"dose": 1000, "view": "<script>"},
    }  # fmt: skip


def test_the_verdict_turns_with_the_sign_and_is_escaped():
    ahead = page.verdict(evidence(0.1, -0.01)).data
    assert "ahead in MS-SSIM (+0.100) and ahead in MAE (-0.010000)" in ahead
    behind = page.verdict(evidence(-0.1, 0.01)).data
    assert "behind in MS-SSIM (-0.100) and behind in MAE (+0.010000)" in behind
    assert "<script>" not in ahead


def test_the_arms_share_one_colour_scale_and_name_every_model():
    generator = np.random.default_rng(0)
    truth = (0.9 * np.exp(1j * generator.random((60, 120)))).astype(np.complex64)
    images = {m: (truth * (1 + 0.1 * i)).astype(np.complex64) for i, m in enumerate(MODELS)}
    drawn = figures.arms(Comparison(truth, images, [], {}, {}, []), "amplitude")
    shown = [a for a in drawn.axes if a.images and a.images[0].get_cmap().name == "gray"]
    assert len(shown) == 8 and len({a.images[0].get_clim() for a in shown}) == 1
    assert {a.get_ylabel() for a in drawn.axes} >= {"truth", *MODELS}

"""Options chosen by counts that were not fitted."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from studylib.judge.select import choose
from tests.asymmetric import OBJECT, scan_of


def test_the_counts_choose_the_sharper_or_the_smoother_image_by_the_dose():
    """Candidates are blurs of a noisy image; few photons want more of it. No truth is asked."""
    generator = np.random.default_rng(4)

    def run(settings, part):
        noise = generator.normal(size=(2, *OBJECT.shape)) * 4 / np.sqrt(part.fluence)
        noisy = OBJECT + noise[0] + 1j * noise[1]
        return gaussian_filter(noisy, settings["blur"]).astype(np.complex64)

    chosen = {
        dose: choose(lambda best: [] if best else [{"blur": b} for b in (0.0, 1.0, 4.0)], run, scan_of(dose), 3)
        for dose in (100, 1_000_000)
    }
    assert chosen[100].settings["blur"] > chosen[1_000_000].settings["blur"]
    assert len(chosen[100].tried) == 3 and min(t.standard_error for t in chosen[100].tried) == 0


def test_rounds_go_on_until_nothing_new_is_proposed():
    asked = []

    def propose(best):
        asked.append(best)
        return [{"blur": 1.0}] if best is None else [{"blur": 1.0}, {"blur": 2.0}]

    def run(settings, part):
        return gaussian_filter(OBJECT, settings["blur"]).astype(np.complex64)

    choice = choose(propose, run, scan_of(1000), 3)
    assert [t.settings["blur"] for t in choice.tried] == [1.0, 2.0] and len(asked) == 3

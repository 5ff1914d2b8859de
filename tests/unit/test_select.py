from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from studylib.arms import choices
from studylib.errors import InputError
from studylib.judge.select import choose
from studylib.physics.split import share_of, split_counts
from tests.asymmetric import OBJECT, scan_of


def test_shares_add_up_and_are_independent():
    counts = np.random.default_rng(0).poisson(9.0, (200, 200))
    parts = split_counts(counts, (0.6, 0.3, 0.1), np.random.default_rng(1))
    np.testing.assert_array_equal(sum(parts), counts)
    for part, share in zip(parts, (0.6, 0.3, 0.1), strict=True):
        assert part.mean() == pytest.approx(9 * share, rel=0.02)
        # A share of a Poisson variable is Poisson: its variance is its mean.
        assert part.var() == pytest.approx(part.mean(), rel=0.05)
    assert abs(np.corrcoef(parts[0].ravel(), parts[1].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.2, -0.2), (0.0, 1.0)])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(InputError, match="add up to 1"):
        split_counts(np.ones((2, 2), int), shares, np.random.default_rng(0))


def test_a_share_keeps_the_scale_of_the_object():
    scan = scan_of(10_000)
    fit, held = split_counts(scan.counts.astype(int), (0.7, 0.3), np.random.default_rng(2))
    part = share_of(scan, fit, 0.7, held, 0.3)
    np.testing.assert_array_equal(part.counts, fit)
    assert part.held_share == pytest.approx(0.3 / 0.7) and part.fluence == pytest.approx(0.7 * scan.fluence)
    assert part.best_constant() == pytest.approx(scan.best_constant(), rel=5e-3)


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


def test_the_nearest_condition_is_taken_and_named(monkeypatch):
    leaves = {"sample": "leaves", "probe": "zone-plate"}
    rows = [leaves | {"view": "dense", "fluence": f, "settings": {"tv": f}} for f in (1.0, 10.0, 100.0)]
    rows += [leaves | {"view": "sparse", "fluence": f, "settings": {"tv": -f}} for f in (5.0, 500.0)]
    rows += [{"sample": "natural", "probe": "smooth", "view": "dense", "fluence": 10.0, "settings": {"tv": 7.0}}]
    monkeypatch.setattr(choices, "table", lambda: {"map": rows})
    scan = scan_of(1000)

    def told(sample, probe, view="dense"):
        scan.metadata.update(sample_kind=sample, probe_kind=probe, view=view)
        return choices.choice("map", scan)

    assert told("natural", "smooth")[0] == {"tv": 7.0}
    near = min((1.0, 10.0, 100.0), key=lambda f: abs(np.log(f / scan.fluence)))
    settings, words = told("leaves", "zone-plate")
    assert settings == {"tv": near} and "leaves, zone-plate, dense" in words and "split counts" in words
    assert told("siemens", "zone-plate")[0] == {"tv": near}
    assert told("measured", "measured")[0] in ({"tv": near}, {"tv": 7.0}), "not that of a few bright patterns"
    assert told("measured", "measured", "sparse")[0] == {"tv": -5.0}
    assert told("natural", "smooth", "sparse")[0] == {"tv": 7.0}, "no other row is of its sample and probe"
    assert choices.choice("nobody", scan) == ({}, "the arm's own defaults")


def test_a_network_is_chosen_on_the_half_that_it_was_not_trained_on():
    """And trained on its share of the counts of the other half."""
    from benchmarks import selection
    from studylib.arms.registry import arm

    seen = {}

    class Fake:
        trains, trains_on, needs_truth, after = True, "train", True, ()
        settings = staticmethod(lambda **given: given)

        def train(self, part, patches, settings, seeds):
            seen["trained"], seen["patches"] = part, patches
            return type("Trained", (), {"network": "weights"})

        def reconstruct(self, part, settings, seeds, trained):
            seen["judged"] = part
            return type("Image", (), {"object": trained})

    assert selection.half_of(arm("pinn")) == selection.half_of(arm("baseline")) == "test"
    assert selection.half_of(arm("map")) == selection.half_of(arm("ptychi")) == "train"
    condition = ("leaves", "zone-plate", 1_000, "sparse")
    _, training = selection.scan_of(condition)
    _, other = selection.scan_of(condition, "test")
    assert training.positions[:, 1].max() < other.positions[:, 1].min()
    assert selection.run_with(Fake(), condition)({}, other) == "weights"
    assert seen["judged"] is other and len(seen["patches"]) == len(training.positions)
    np.testing.assert_array_equal(seen["trained"].positions, training.positions)
    assert abs(seen["trained"].counts.sum() / training.counts.sum() - 0.8) < 0.01


def test_a_row_is_gone_over_with_what_is_new_only():
    """What was chosen first, so that losses are paired; then candidates that the row lacks."""
    from benchmarks.selection import proposals
    from studylib.arms.registry import arm

    chosen = {"skips": True, "thinning": 0.1}
    tried = [chosen, {"skips": True, "thinning": 0.3}, {"skips": False, "thinning": 0.0}]
    propose = proposals(arm("pinn"), {"settings": chosen, "tried": [{"settings": s} for s in tried]})
    assert propose(None) == [chosen]
    assert propose(chosen) == [chosen | {"updates": 30}]
    assert propose(tried[-1]) == [{"skips": True, "thinning": 0.0, "updates": 30}]
    assert proposals(arm("pinn"), None)(None) == arm("pinn").candidates(None)

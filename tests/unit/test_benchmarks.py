"""What the benchmarks make of finished studies, and which options they try."""

from __future__ import annotations

import numpy as np
import pytest


def test_rankings_are_compared_within_a_condition():
    from benchmarks.ranking import ranked

    def row(dose, arm, gain, score):
        where = {"sample": "s", "probe": "p", "dose": dose, "view": "dense", "replicate": "0"}
        return where | {"arm": arm, "gain_per_pattern": gain, "phase_ms_ssim": score}

    table = [row("1", "A", "5", "0.9"), row("1", "B", "6", "0.8"), row("1", "C", "1", "0.2")]
    table += [
        row("1", "constant", "", "0.95"),
        row("2", "A", "1", "0.5"),
        row("2", "B", "2", "0.6"),
        row("3", "A", "1", "1"),
    ]
    first, second = ranked(table)
    assert (first.arms, first.named, first.best) == (3, "B", "A") and first.correlation == pytest.approx(0.5)
    assert first.regret == first.reversed == pytest.approx(0.1) and second.reversed == 0
    assert (second.named, second.regret) == ("B", 0.0) and second.correlation == pytest.approx(1)


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


def test_the_stages_of_a_study_are_counted_by_their_kind():
    """A folder is named after its dose and view: 100000_dense is no stage."""
    from benchmarks.study_speed import kinds

    names = ["leaves_zone-plate_r0/dose_100000_dense/02_overlap_dose100000_dense", "07_response", "x/00_design"]
    assert kinds(names) == {"00_design": 1, "02_overlap": 1, "07_response": 1}

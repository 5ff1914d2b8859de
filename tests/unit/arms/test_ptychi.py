"""pty-chi as an arm: its frame, its schedule, what it refines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studylib.arms.ptychi import refine_probe
from tests.asymmetric import N, scan_of


def test_lsqml_starts_flat_stays_on_the_frame_and_repeats(scan, specimen):
    from studylib.arms.ptychi import PtyChi, PtyChiSettings
    from studylib.design import Seeds
    from studylib.judge import register
    from studylib.physics.stitch import scanned_box

    settings = PtyChiSettings(epochs=6, batches=6, tv=0.0)
    first = PtyChi().reconstruct(scan, settings, Seeds())
    assert first.seconds > 0 and first.peak_memory_mib > 0 and first.loss[-1] < first.loss[0]
    box = scanned_box(scan.positions).slices
    image, truth = first.object[box], specimen.object[box]
    gauge = register.fit_gauge(image, truth)
    # The probe came in counts: the object's amplitude needs no factor of N.
    assert 0.7 < gauge.scale < 1.3
    shift = register.shift_between(register.apply_gauge(image, gauge), truth)
    assert np.abs(shift).max() <= 0.3
    again = PtyChi().reconstruct(scan, settings, Seeds())
    np.testing.assert_allclose(again.object, first.object, atol=1e-5)


@pytest.mark.parametrize("wrong", ["positions", "probe"])
def test_refining_brings_back_what_is_told_wrong(wrong):
    """Without noise: an arm that holds fast to wrong positions, or a wrong probe, is left with their error."""
    from studylib.arms.ptychi import PtyChi, PtyChiRefining, PtyChiSettings, RefiningSettings
    from studylib.design import Seeds
    from studylib.disturbances import DISTURBANCES
    from studylib.judge import register
    from tests import asymmetric

    right = asymmetric.scan_of(1_000_000, noise=False, step=4.1)
    name = {"positions": "positions-0.5", "probe": "probe-noise"}[wrong]
    scan = DISTURBANCES[name].told(right, np.random.default_rng(2))
    fixed, box = {"epochs": 40, "batches": 6, "tv": 0.0}, (slice(24, 88), slice(24, 104))
    plain, free = (PtyChi(), PtyChiSettings(**fixed)), (PtyChiRefining(), RefiningSettings(**fixed, free_from=0.2))
    errors = []
    for (arm, settings), told in ((plain, right), (plain, scan), (free, scan)):
        image, truth = arm.reconstruct(told, settings, Seeds()).object[box], asymmetric.OBJECT[box]
        turned = register.apply_gauge(image, register.fit_gauge(image, truth))
        errors.append(float(np.abs(turned - truth).mean()))
    assert errors[0] < 0.9 * errors[1], "what is wrong matters"
    assert errors[2] < 0.6 * errors[1], errors


def test_random_batches_come_first_in_a_two_step_schedule(scan):
    from studylib.arms.ptychi import PtyChi, PtyChiSettings
    from studylib.design import Seeds

    told = PtyChi().reconstruct(scan, PtyChiSettings(first_epochs=2, epochs=3, batches=4, decay=0.9), Seeds())
    assert len(told.loss) == 5 and np.isfinite(told.object).all()


def test_the_first_run_has_batches_and_a_weight_of_its_own(scan):
    from studylib.arms.ptychi import PtyChi, PtyChiSettings, _schedule
    from studylib.design import Seeds

    plan = _schedule(PtyChiSettings(first_epochs=2, first_batching="compact", first_tv=0.0, epochs=3, tv=0.3))
    assert [(p.epochs, p.batching, p.tv) for p in plan] == [(2, "compact", 0.0), (3, "compact", 0.3)]
    same = {"epochs": 3, "first_epochs": 3, "first_batching": "compact", "batches": 4, "tv": 0.3}
    free, bound = (
        PtyChi().reconstruct(scan, PtyChiSettings(**same, first_tv=weight), Seeds()).object for weight in (0.0, 0.3)
    )
    assert np.abs(free - bound).max() > 1e-3  # the weight of the first run reaches pty-chi


def test_of_a_run_that_leaves_its_optimum_the_best_epoch_is_kept(scan, monkeypatch):
    """As pty-chi's momentum does with total variation, late; and the first half counts only as the way there."""
    from types import SimpleNamespace

    import pandas as pd

    from studylib.arms import ptychi
    from studylib.design import Seeds

    def run_with(losses, batching="compact"):
        table = pd.DataFrame({"loss": [np.nan]})
        told = SimpleNamespace(reconstructor=SimpleNamespace(loss_tracker=SimpleNamespace(table=table)), done=0)

        def run(epochs):
            table.loc[0, "loss"] = losses[told.done]
            told.done += epochs

        told.run = run
        told.get_data_to_cpu = lambda *_, **__: np.full((1, *scan.shape), told.done, np.complex64)
        monkeypatch.setattr(ptychi, "task_of", lambda *_: told)
        settings = ptychi.PtyChiSettings(epochs=len(losses), batching=batching)
        return ptychi.PtyChi().reconstruct(scan, settings, Seeds()).object[0, 0].real

    assert run_with([9, 5, 3, 2, 1, 4, 8, 20]) == 5
    assert run_with([9, 5, 3, 2, 1.5, 1.2, 1.1, 1.0]) == 8, "a run that falls to its end is taken whole"
    assert run_with([1, 5, 6, 7, 6.5, 6.4, 6.3, 6.2]) == 8, "a stronger prior than before raises the loss at first"
    assert run_with([9, 5, 3, 2, 1, 4, 8, 20], "random") == 8, "no momentum: the last epoch, whose step is the smallest"


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return ||a - b|| / ||b|| after the common phase was taken off."""
    turn = np.exp(1j * np.angle(np.vdot(a, b)))
    return float(np.linalg.norm(a * turn - b) / np.linalg.norm(b))


def test_a_defocused_noisy_probe_is_refined():
    scan = scan_of(200_000, step=3.5)
    q = np.hypot(*np.meshgrid(np.fft.fftfreq(N), np.fft.fftfreq(N)))
    generator = np.random.default_rng(1)
    noise = generator.normal(size=(2, N, N)) * np.abs(scan.probe).max() * 0.01
    wrong = np.fft.ifft2(np.fft.fft2(scan.probe) * np.exp(25j * q**2)) + noise[0] + 1j * noise[1]
    wrong = (wrong * np.linalg.norm(scan.probe) / np.linalg.norm(wrong)).astype(np.complex64)
    refined = refine_probe(replace(scan, probe=wrong), fixed=10, free=60)
    assert distance(wrong, scan.probe) > 0.1
    assert distance(refined, scan.probe) < 0.5 * distance(wrong, scan.probe)
    assert np.isclose(np.linalg.norm(refined), np.linalg.norm(wrong), rtol=1e-5)

"""Every registered arm: one forward model, one frame. An arm that is added later is here by being registered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from studylib.arms import registry
from studylib.design import Seeds, StudyDesign
from studylib.errors import InputError
from studylib.judge import metrics, register
from studylib.physics import forward
from studylib.physics.likelihood import poisson_loss
from studylib.physics.stitch import scanned_box
from tests.asymmetric import OBJECT, N, NoiseFree, scan_of

ARMS = list(registry.arms().values())


def noise_free(dose: int) -> NoiseFree:
    return NoiseFree(**{name: value for name, value in vars(scan_of(dose, noise=False)).items()})


@pytest.mark.parametrize("arm", [a for a in ARMS if a.has_forward_model], ids=lambda a: a.key)
def test_an_arm_expects_what_the_simulation_expects(arm):
    scan = scan_of(10_000)
    expected = np.concatenate(list(forward.expected_counts(OBJECT, scan.probe, scan.positions)))
    error = np.abs(np.asarray(arm.expected(OBJECT, scan), np.float64) - expected)
    assert error.max() < 1e-5 * expected.max()


@pytest.mark.parametrize("arm", [a for a in ARMS if a.has_forward_model], ids=lambda a: a.key)
@pytest.mark.parametrize("wrong", ["conjugate", "mirror", "transpose"])
def test_the_wrong_orientation_would_be_seen(arm, wrong):
    """The inputs have no symmetry that a wrong model could hide behind."""
    scan = scan_of(10_000)
    image = {"conjugate": OBJECT.conj(), "mirror": OBJECT[:, ::-1], "transpose": np.pad(OBJECT, ((0, 16), (0, 0))).T}
    expected = np.concatenate(list(forward.expected_counts(OBJECT, scan.probe, scan.positions)))
    told = np.asarray(arm.expected(np.ascontiguousarray(image[wrong][: OBJECT.shape[0]]), scan))
    assert np.abs(told - expected).max() > 0.02 * expected.max()


@pytest.mark.parametrize("arm", [a for a in ARMS if a.without_prior is not None], ids=lambda a: a.key)
def test_an_iterative_arm_stays_at_the_truth(arm):
    """Prior off, noise-free patterns that are not rounded: nothing but a wrong model would drive it away."""
    scan = noise_free(100_000)
    result = arm.reconstruct(scan, arm.settings(**arm.without_prior), Seeds(), starts={"truth": OBJECT})
    truth, found = (
        np.mean(
            [
                poisson_loss(scan.counts[k], lam)
                for k, lam in enumerate(np.concatenate(list(forward.expected_counts(o, scan.probe, scan.positions))))
            ]
        )
        for o in (OBJECT, result.object)
    )
    assert found - truth < 1e-4
    box = scanned_box(scan.positions).slices
    image = register.apply_gauge(result.object[box], register.fit_gauge(result.object[box], OBJECT[box]))
    assert metrics.ms_ssim(np.abs(image), np.abs(OBJECT[box])) > 0.999
    assert metrics.ms_ssim(np.angle(image), np.angle(OBJECT[box])) > 0.999


def test_the_baseline_puts_what_it_memorised_on_the_right_frame():
    """A handful of patches: the image that it stitches is the object, neither flipped nor transposed nor shifted."""
    from studylib.learn.backend import use_backend

    use_backend("torch")
    from studylib.physics.windows import extract

    arm = registry.arm("baseline")
    whole = scan_of(1_000_000)
    scan = whole.take(np.argsort(np.abs(whole.positions - whole.positions.mean(axis=0)).max(axis=1))[:12])
    patches = extract(OBJECT, scan.positions, N)
    settings = arm.settings(steps=700, patterns_per_step=12, evaluations=2, width=16, mixed_precision=False)
    trained = arm.train(scan, patches, settings, Seeds())
    image = arm.reconstruct(scan, settings, Seeds(), trained.network).object
    low, high = scan.positions.min(axis=0).astype(int) + 1, scan.positions.max(axis=0).astype(int)
    box = slice(low[1], high[1]), slice(low[0], high[0])
    likeness = {
        name: np.abs(np.corrcoef(np.angle(image[box]).ravel(), np.angle(other).ravel())[0, 1])
        for name, other in {
            "truth": OBJECT[box], "up": OBJECT[box][::-1], "side": OBJECT[box][:, ::-1],
            "shifted": np.roll(OBJECT, 3, axis=1)[box],
        }.items()
    }  # fmt: skip
    assert likeness["truth"] > 0.8 and likeness["truth"] > 1.2 * max(likeness["up"], likeness["side"])
    assert likeness["truth"] > likeness["shifted"]


def test_names_keys_and_colours_are_told_apart():
    for field in ("name", "key", "colour"):
        values = [getattr(arm, field) for arm in ARMS]
        assert len(set(values)) == len(values), field
    assert {a.name for a in ARMS} >= set(registry.CONTRACT)


def test_the_arms_that_one_starts_from_are_run_too():
    assert registry.check_arms("pinn_map") == ("pinn", "pinn_map")
    assert registry.check_arms(["map"]) == ("map",)
    with pytest.raises(InputError, match="one of pinn"):
        registry.check_arms("ePIE")


@pytest.mark.parametrize("arm", ARMS, ids=lambda a: a.key)
def test_settings_are_complete_and_refuse_unknown_fields(arm):
    arm.settings()
    with pytest.raises(ValueError, match="nothing_like_it"):
        arm.settings(nothing_like_it=1)


def test_an_arm_that_refines_takes_over_the_options_of_what_it_refines_with():
    scan = scan_of(1000)
    own, told = registry.settings_of("map", StudyDesign.for_profile("laptop"), scan)
    refined, again = registry.settings_of("pinn_map", StudyDesign.for_profile("laptop"), scan)
    assert (refined.tv, refined.amplitude_tv) == (own.tv, own.amplitude_tv) and refined.iterations < own.iterations
    assert told == again and "split counts" in told


def test_an_arm_that_holds_all_patterns_refuses_what_does_not_fit(monkeypatch):
    """1e5 patterns, of which none is in memory."""
    free = SimpleNamespace(available=24 * 2**30)
    monkeypatch.setattr("studylib.machine.psutil.virtual_memory", lambda: free)
    many = np.broadcast_to(np.zeros((1, 128, 128), np.float32), (100_000, 128, 128))
    positions = np.random.default_rng(1).uniform(64, 900, (100_000, 2))
    scan = replace(scan_of(1000), diffraction=many, positions=positions, probe=np.ones((128, 128), np.complex64))
    scan = replace(scan, shape=(1024, 1024))
    for arm in ARMS:
        if arm.memory_mib(scan):
            with pytest.raises(
                InputError, match=r"100,000 patterns of 128 x 128 px.*about \d\d,\d\d\d MiB, and 24,576 MiB"
            ):
                arm.refuse_too_large(scan)
        else:
            arm.refuse_too_large(scan)
    assert [arm.key for arm in ARMS if arm.memory_mib(scan)] == [
        "ptychi",
        "ptychi_pinn",
        "ptychi_refining",
        "ptychi_prior",
    ]


@pytest.mark.parametrize(("key", "module"), [("map", "coarse"), ("ptychi_prior", "ptychi"), ("unrolled", "poisson")])
def test_what_identifies_the_code_of_an_arm_covers_the_modules_that_it_uses(key, module, monkeypatch):
    """By import, not only by inheritance: one line there may change an image."""
    algorithm, read = registry.algorithm.__wrapped__, Path.read_bytes
    before = algorithm(key)
    edited = lambda path: read(path) + (b"# changed" if path.stem == module else b"")  # noqa: E731
    monkeypatch.setattr(Path, "read_bytes", edited)
    assert algorithm(key) != before


def test_only_an_arm_that_never_sees_the_truth_learns_from_the_scan_that_is_judged():
    assert all(arm.trains_on == "train" for arm in ARMS if arm.needs_truth or not arm.trains)
    assert {arm.trains_on for arm in ARMS} == {"train", "test"}

"""What each choice is worth: `make ablation`.

The training of the laptop profile with one choice undone at a time, scored on the second half of *another* sample (its
own seeds), so that nothing is chosen on the test half of the study. Adds to benchmarks/ablation.csv the variants that
it lacks, and writes docs/ablation.md.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

from studylib import samples
from studylib.arms.ptychi import iterate
from studylib.design import VIEWS, StudyDesign
from studylib.judge import register
from studylib.judge.compare import channels, score
from studylib.learn import layers, networks, train
from studylib.learn.predict import predict
from studylib.physics import overlap, simulate
from studylib.physics import stitch as stitching
from studylib.physics.stitch import scanned_box, stitch
from studylib.physics.windows import extract
from studylib.run.provenance import git_state
from studylib.scan import Scan

DESIGN = StudyDesign.for_profile("laptop")
OTHER_SEED = 1041
DOSE = 1000
USUAL = DOSE, "dense"
"""Dose and view of a row that does not say."""
HERE = Path(__file__).resolve().parent
Told = dict[str, float]


def halves(independent: bool = False, dose: int = DOSE, view: str = "dense") -> tuple[np.ndarray, dict[str, Scan]]:
    """Return another object and both halves of a view of it; its amplitude is another's if independent."""
    n, size = DESIGN.sample.n_pixels, DESIGN.sample.object_size
    truth, probe = samples.dead_leaves(size, OTHER_SEED), samples.zone_plate_probe(n)
    if independent:
        truth = np.abs(samples.dead_leaves(size, OTHER_SEED + 1)) * np.exp(1j * np.angle(truth))
    generator = np.random.default_rng(OTHER_SEED)
    positions = simulate.scan_positions(truth.shape, n, DESIGN.sample, generator)
    probe, scale = simulate.scale_probe(truth, probe, positions, dose), simulate.intensity_scale(dose, n)
    spacing = overlap.target_spacing(VIEWS[view], samples.probe_diameter(probe))
    scans = {}
    for split, members in simulate.split_along_y(positions, truth.shape[0], n).items():
        where = positions[members]
        where = where[overlap.thin(where, spacing, DESIGN.seeds.subsampling)]
        counted = simulate.count_photons(truth, probe, where, scale, generator)
        scans[split] = Scan(counted, probe, where, scale, truth.shape, {})
    return truth, scans


def scores(image: np.ndarray, truth: np.ndarray, scan: Scan, seconds: float) -> Told:
    """Return MS-SSIM and MAE of both channels."""
    box = scanned_box(scan.positions).slices
    image = register.apply_gauge(image[box], register.fit_gauge(image[box], truth[box]))
    told = {c: score(*pair, DESIGN.ms_ssim_sigma) for c, pair in channels(image, truth[box]).items()}
    numbers = {f"{c} {m}": round(told[c][m], 4) for c in ("phase", "amplitude") for m in ("ms_ssim", "mae")}
    return {"seconds": round(seconds, 1)} | numbers


def central(probe: np.ndarray) -> np.ndarray:
    """Return the probe, dark outside the central half of its window."""
    quarter = len(probe) // 4
    return np.pad(probe[quarter:-quarter, quarter:-quarter], quarter)


def pinn(
    independent: bool = False,
    agree: bool = True,
    k: int = 7,
    gridsize: int = 2,
    lit: Callable[[np.ndarray], np.ndarray] = lambda probe: probe,
    where: tuple[int, str] = USUAL,
    **changes,
) -> Told:
    """Train a PtychoPINN with some settings changed; its patches are weighted by the lit part of the probe."""
    truth, scans = halves(independent, *where)
    grouping = DESIGN.grouping.model_copy(update={"gridsize": gridsize, "n_neighbours": k})
    settings = DESIGN.pinn.model_copy(update=changes)
    trained = train.train_pinn(scans["train"], grouping, settings, DESIGN.seeds.training, DESIGN.seeds.grouping)
    scan, seed = scans["test"], DESIGN.seeds.grouping
    patches = predict(trained.network, scan, grouping, seed)
    image = stitch([(patches, scan.positions)], lit(scan.probe), scan.shape, agree)
    return scores(image, truth, scan, trained.seconds)


def baseline(independent: bool = False, agree: bool = False, where: tuple[int, str] = USUAL, **changes) -> Told:
    """Train a Baseline with some settings changed."""
    truth, scans = halves(independent, *where)
    settings = DESIGN.baseline.model_copy(update=changes)
    patches = extract(truth, scans["train"].positions, DESIGN.sample.n_pixels)
    trained = train.train_baseline(scans["train"], patches, settings, DESIGN.seeds.training)
    scan = scans["test"]
    patches = predict(trained.network, scan, DESIGN.grouping, DESIGN.seeds.grouping)
    image = stitch([(patches, scan.positions)], scan.probe, scan.shape, agree)
    return scores(image, truth, scan, trained.seconds)


def iterative(**changes) -> Told:
    """Run LSQML on the same half; its noise model and epochs are docs/lsqml.md."""
    truth, scans = halves()
    settings = DESIGN.iteration.model_copy(update=changes)
    result = iterate(scans["test"], settings, DESIGN.seeds.iteration)
    return scores(result.object, truth, scans["test"], result.seconds)


class RawPatterns(layers.FirstEstimate):
    """No estimate: the patterns themselves."""

    def call(self, amplitudes, weights, light):
        return ops.expand_dims(amplitudes, 3)


class OwnEstimate(layers.FirstEstimate):
    """The pattern's own estimate, without the group's mean."""

    def call(self, amplitudes, weights, light):
        return super().call(amplitudes, weights, light)[:, :, :, :2]


class LearnedScale(layers.Diffraction):
    """The scale of the probe is learned: a factor on the expected counts, 1 at the start."""

    def build(self, *shapes):
        self.trainable = True
        self.gain = self.add_weight(shape=(), initializer="zeros", name="gain")

    def call(self, amplitude, phase, weights, light):
        return ops.exp(self.gain) * super().call(amplitude, phase, weights, light)


class LastWeights(train._Recorder):
    """Keeps the weights of the last evaluation instead of those with the best held-out loss."""

    def on_epoch_end(self, epoch, logs=None) -> None:
        self.best = np.inf
        super().on_epoch_end(epoch, logs)


def informed_baseline(n_pixels: int, width: int, scale: float, policy: str, skips: bool) -> keras.Model:
    """Build a Baseline that is given the first estimate of its pattern, as PtychoPINN is."""
    probe = halves()[1]["train"].probe
    with networks._Policy(policy):
        patterns = keras.Input((n_pixels, n_pixels), name="patterns")
        one = ops.expand_dims(networks._normalised(patterns, scale), 1)
        shared = layers.Overlap(probe)(ops.zeros_like(one[:, :, 0, :2]))
        features = layers.FirstEstimate(probe / scale)(one, *shared)
        return keras.Model(patterns, networks._trunk(features[:, 0], width, skips))


SKIPS = {"skips_from": 0}
NO_SKIPS = {"skips_from": np.inf}


def conditions() -> dict[str, Callable[[], Told]]:
    """Return both networks with and without skip connections, at every dose and view."""
    arms, wheres = {"PtychoPINN": pinn, "Baseline": baseline}, product(DESIGN.doses, VIEWS)
    kinds = {"no skip connections": NO_SKIPS, "skip connections": SKIPS}
    return {
        f"{name}, {where[0]:,} photons, {where[1]}, {kind}": partial(arms[name], where=where, **kinds[kind])
        for name, where, kind in product(arms, wheres, kinds)
        if where != USUAL or kinds[kind] is SKIPS  # the usual rows have none
    }


def root_gaussian(counts, expected):
    """Return half the squared difference of amplitudes, the Gaussian likelihood of sqrt(counts), four times."""
    return ops.mean(2 * ops.square(ops.sqrt(expected + 0.05) - ops.sqrt(counts + 0.05)), axis=(-1, -2, -3))


def with_part(module, name: str, part, run: Callable[..., Told], **given) -> Told:
    """Run with one function or class of a module exchanged."""
    before = getattr(module, name)
    setattr(module, name, part)
    try:
        return run(**given)
    finally:
        setattr(module, name, before)


VARIANTS: dict[str, Callable[[], Told]] = {
    "PtychoPINN": pinn,
    "Baseline": baseline,
    **conditions(),
    "PtychoPINN, 30,000 photons, sparse, no skip connections": lambda: pinn(where=(30_000, "sparse"), **NO_SKIPS),
    "PtychoPINN, 30,000 photons, sparse, skip connections": lambda: pinn(where=(30_000, "sparse"), **SKIPS),
    "Baseline, given the first estimate": lambda: with_part(train, "baseline", informed_baseline, baseline),
    "PtychoPINN, without the group's mean": lambda: with_part(networks, "FirstEstimate", OwnEstimate, pinn),
    "PtychoPINN, raw patterns": lambda: with_part(networks, "FirstEstimate", RawPatterns, pinn),
    "PtychoPINN, single patterns (g = 1)": lambda: pinn(gridsize=1),
    "PtychoPINN, K = 4": lambda: pinn(k=4),
    "PtychoPINN, K = 12": lambda: pinn(k=12),
    "PtychoPINN, no mirror images": lambda: pinn(use_symmetries=False),
    "Baseline, no mirror images": lambda: baseline(use_symmetries=False),
    "PtychoPINN, patches not turned to agree": lambda: pinn(agree=False),
    "PtychoPINN, patches turned ten times": lambda: with_part(
        stitching, "synchronise", partial(stitching.synchronise, iterations=10), pinn
    ),
    "Baseline, patches turned to agree": lambda: baseline(agree=True),
    "PtychoPINN, only the central half of each patch": lambda: pinn(lit=central),
    "PtychoPINN, counts thinned (q = 0.1)": lambda: pinn(thinning=0.1),
    "PtychoPINN, counts thinned (q = 0.3)": lambda: pinn(thinning=0.3),
    "PtychoPINN, last weights": lambda: with_part(train, "_Recorder", LastWeights, pinn),
    "PtychoPINN, skip connections, last weights": lambda: with_part(train, "_Recorder", LastWeights, pinn, **SKIPS),
    "PtychoPINN, skip connections, counts thinned (q = 0.1)": lambda: pinn(thinning=0.1, **SKIPS),
    "PtychoPINN, skip connections, K = 4": lambda: pinn(k=4, **SKIPS),
    "PtychoPINN, Gaussian likelihood of sqrt(n)": lambda: with_part(train, "poisson_nll", root_gaussian, pinn),
    "PtychoPINN, learned scale of the probe": lambda: with_part(networks, "Diffraction", LearnedScale, pinn),
    "PtychoPINN, rough first object": lambda: with_part(networks, "HEAD_GAIN", 1.0, pinn),
    "PtychoPINN, constant learning rate": lambda: with_part(train, "schedule", lambda s: s.learning_rate, pinn),
    "PtychoPINN, learning rate 2e-3": lambda: pinn(learning_rate=2e-3),
    "PtychoPINN, clipping at 1.0": lambda: pinn(clip_norm=1.0),
    "PtychoPINN, width 48": lambda: pinn(width=48),
    "PtychoPINN, twice the steps": lambda: pinn(steps=2400),
    "Baseline, twice the steps": lambda: baseline(steps=3400),
    "PtychoPINN, amplitude and phase independent": lambda: pinn(independent=True),
    "Baseline, amplitude and phase independent": lambda: baseline(independent=True),
    "LSQML": iterative,
    "LSQML, random batches": lambda: iterative(batching="random"),
    "LSQML, no momentum": lambda: iterative(momentum=0.0),
}


def page(rows: list[dict[str, str]]) -> str:
    """Return docs/ablation.md."""
    keys = list(rows[0])
    lines = [
        "# What each choice is worth", "",
        f"`make ablation`: {DOSE:,} photons, dense view where a row does not say, laptop profile, scored on the second",
        "half of another sample with other seeds: nothing was chosen on the test half of the study. One seed.",
        "Written by the command, which resumes: seconds can be compared between rows of one commit.", "",
        "| " + " | ".join(k.replace("ms_ssim", "MS-SSIM").replace("mae", "MAE") for k in keys) + " |",
        "|---" * len(keys) + "|",
    ]  # fmt: skip
    order = list(VARIANTS)
    rows = sorted((r for r in rows if r["variant"] in order), key=lambda r: order.index(r["variant"]))
    return "\n".join([*lines, *("| " + " | ".join(str(v) for v in r.values()) + " |" for r in rows)]) + "\n"


def stored(file: Path) -> list[dict[str, str]]:
    """Return the rows measured so far."""
    return list(csv.DictReader(file.open(encoding="utf-8"))) if file.is_file() else []


def store(file: Path, rows: list[dict[str, str]]) -> None:
    """Write all rows, so that an interrupted run resumes."""
    with file.open("w", newline="", encoding="utf-8") as out:
        table = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def main() -> None:
    """Run what is missing and write the page."""
    train.flat_object_loss = lambda scan: np.inf  # a variant that collapses is a result here
    file = HERE / "ablation.csv"
    rows = stored(file)
    for name, run in VARIANTS.items():
        if name in {r["variant"] for r in rows}:
            continue
        rows.append({"variant": name} | {k: str(v) for k, v in run().items()} | {"commit": (git_state()[0] or "")[:7]})
        print(rows[-1], flush=True)
        store(file, rows)
        (HERE.parent / "docs/ablation.md").write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()

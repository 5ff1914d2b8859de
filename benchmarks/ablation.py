"""What each choice is worth: `make ablation`.

The training of the laptop profile with one choice undone at a time, scored on the second half of *another* sample (its
own seeds), so that nothing is chosen on the test half of the study. Adds to benchmarks/ablation.csv the variants that
it lacks, and writes docs/ablation.md.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

from studylib import overlap, register, sample, simulate
from studylib.compare import channels, score
from studylib.dataset import Scan
from studylib.design import VIEWS, StudyDesign
from studylib.iterate import iterate
from studylib.learn import layers, networks, train
from studylib.learn.predict import predict, reconstruct
from studylib.stitch import scanned_box, stitch
from studylib.windows import extract

DESIGN = StudyDesign.for_profile("laptop")
OTHER_SEED = 1041
DOSE = 1000
HERE = Path(__file__).resolve().parent
Told = dict[str, float]


def halves(independent: bool = False) -> tuple[np.ndarray, dict[str, Scan]]:
    """Return another object and both halves of its dense view; its amplitude is another's if independent."""
    n, size = DESIGN.sample.n_pixels, DESIGN.sample.object_size
    truth, probe = sample.dead_leaves(size, OTHER_SEED), sample.zone_plate_probe(n)
    if independent:
        truth = np.abs(sample.dead_leaves(size, OTHER_SEED + 1)) * np.exp(1j * np.angle(truth))
    generator = np.random.default_rng(OTHER_SEED)
    positions = simulate.scan_positions(truth.shape, n, DESIGN.sample, generator)
    probe, scale = simulate.scale_probe(truth, probe, positions, DOSE), simulate.intensity_scale(DOSE, n)
    spacing = overlap.target_spacing(VIEWS["dense"], sample.probe_diameter(probe))
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


def pinn(independent: bool = False, agree: bool = True, k: int = 7, gridsize: int = 2, **changes) -> Told:
    """Train a PtychoPINN with some settings changed."""
    truth, scans = halves(independent)
    grouping = DESIGN.grouping.model_copy(update={"gridsize": gridsize, "n_neighbours": k})
    settings = DESIGN.pinn.model_copy(update=changes)
    trained = train.train_pinn(scans["train"], grouping, settings, DESIGN.seeds.training, DESIGN.seeds.grouping)
    scan, seed = scans["test"], DESIGN.seeds.grouping
    if agree:
        image = reconstruct(trained.network, scan, grouping, seed)
    else:
        patches = predict(trained.network, scan, grouping, seed)
        image = stitch([(patches, scan.positions)], scan.probe, scan.shape)
    return scores(image, truth, scan, trained.seconds)


def baseline(independent: bool = False, **changes) -> Told:
    """Train a Baseline with some settings changed."""
    truth, scans = halves(independent)
    settings = DESIGN.baseline.model_copy(update=changes)
    patches = extract(truth, scans["train"].positions, DESIGN.sample.n_pixels)
    trained = train.train_baseline(scans["train"], patches, settings, DESIGN.seeds.training)
    image = reconstruct(trained.network, scans["test"], DESIGN.grouping, DESIGN.seeds.grouping)
    return scores(image, truth, scans["test"], trained.seconds)


def iterative(algorithm: str = "LSQML", **changes) -> Told:
    """Run one of pty-chi's engines on the same half."""
    truth, scans = halves()
    settings = DESIGN.iteration.model_copy(update=changes)
    result = iterate(scans["test"], settings, DESIGN.seeds.iteration, algorithm)
    return scores(result.object, truth, scans["test"], result.seconds)


class RawPatterns(layers.FirstEstimate):
    """No estimate: the patterns themselves."""

    def call(self, amplitudes, rows, columns, light):
        return ops.expand_dims(amplitudes, 2)


class OwnEstimate(layers.FirstEstimate):
    """The pattern's own estimate, without the group's mean."""

    def call(self, amplitudes, rows, columns, light):
        return super().call(amplitudes, rows, columns, light)[:, :, :2]


def informed_baseline(n_pixels: int, width: int, scale: float, policy: str) -> keras.Model:
    """Build a Baseline that is given the first estimate of its pattern, as PtychoPINN is."""
    probe = halves()[1]["train"].probe
    with networks._Policy(policy):
        patterns = keras.Input((n_pixels, n_pixels), name="patterns")
        one = ops.expand_dims(networks._normalised(patterns, scale), 1)
        shared = layers.Overlap(probe)(ops.zeros_like(one[:, :, 0, :2]))
        features = layers.FirstEstimate(probe / scale)(one, *shared)
        return keras.Model(patterns, networks._trunk(features[:, 0], width))


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
    "Baseline, given the first estimate": lambda: with_part(train, "baseline", informed_baseline, baseline),
    "PtychoPINN, patches not turned to agree": lambda: pinn(agree=False),
    "PtychoPINN, without the group's mean": lambda: with_part(networks, "FirstEstimate", OwnEstimate, pinn),
    "PtychoPINN, raw patterns": lambda: with_part(networks, "FirstEstimate", RawPatterns, pinn),
    "PtychoPINN, single patterns (g = 1)": lambda: pinn(gridsize=1),
    "PtychoPINN, no mirror images": lambda: pinn(use_symmetries=False),
    "Baseline, no mirror images": lambda: baseline(use_symmetries=False),
    "PtychoPINN, counts thinned (q = 0.1)": lambda: pinn(thinning=0.1),
    "LSQML (Gaussian, compact, momentum 0.5, 100 epochs)": iterative,
    "LSQML, Poisson": lambda: iterative(noise_model="poisson"),
    "LSQML, random batches": lambda: iterative(batching="random"),
    "rPIE": lambda: iterative("rPIE"),
    "PtychoPINN, rough first object": lambda: with_part(networks, "HEAD_GAIN", 1.0, pinn),
    "PtychoPINN, amplitude and phase independent": lambda: pinn(independent=True),
    "Baseline, amplitude and phase independent": lambda: baseline(independent=True),
    "PtychoPINN, twice the steps": lambda: pinn(steps=2400),
    "PtychoPINN, K = 12": lambda: pinn(k=12),
    "PtychoPINN, width 48": lambda: pinn(width=48),
    "PtychoPINN, Gaussian likelihood of sqrt(n)": lambda: with_part(train, "poisson_nll", root_gaussian, pinn),
    "PtychoPINN, clipping at 1.0": lambda: pinn(clip_norm=1.0),
    "Baseline, twice the steps": lambda: baseline(steps=3400),
    "LSQML, 30 epochs": lambda: iterative(epochs=30),
    "LSQML, no momentum": lambda: iterative(momentum=0.0),
}


def page(rows: list[dict[str, str]]) -> str:
    """Return docs/ablation.md."""
    keys = list(rows[0])
    lines = [
        "# What each choice is worth", "",
        f"`make ablation`: {DOSE} photons, dense view, laptop profile, scored on the second half of another sample",
        "with other seeds, so that nothing was chosen on the test half of the study. One seed. Written by the command.",
        "",
        "| " + " | ".join(k.replace("ms_ssim", "MS-SSIM").replace("mae", "MAE") for k in keys) + " |",
        "|---" * len(keys) + "|",
    ]  # fmt: skip
    order = list(VARIANTS)
    rows = sorted(rows, key=lambda r: order.index(r["variant"]))
    return "\n".join([*lines, *("| " + " | ".join(str(v) for v in r.values()) + " |" for r in rows)]) + "\n"


def main() -> None:
    """Run what is missing and write the page."""
    train.flat_object_loss = lambda scan: np.inf  # a variant that collapses is a result here
    file = HERE / "ablation.csv"
    rows = list(csv.DictReader(file.open(encoding="utf-8"))) if file.is_file() else []
    for name, run in VARIANTS.items():
        if name in {r["variant"] for r in rows}:
            continue
        rows.append({"variant": name} | {k: str(v) for k, v in run().items()})
        print(rows[-1], flush=True)
        with file.open("w", newline="", encoding="utf-8") as out:
            table = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        (HERE.parent / "docs/ablation.md").write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()

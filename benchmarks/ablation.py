"""What each choice in PtychoPINN's training is worth: `make ablation`.

The same training with one choice undone at a time, scored on the second half of *another* sample (its own seeds), so
that nothing is chosen on the test half of the study. Writes benchmarks/ablation.csv.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from studylib import overlap, register, sample, simulate
from studylib.compare import channels, score
from studylib.dataset import Scan
from studylib.design import VIEWS, StudyDesign, TrainingSettings
from studylib.learn import layers, networks, train
from studylib.learn.predict import reconstruct
from studylib.stitch import scanned_box
from studylib.windows import extract

DESIGN = StudyDesign.for_profile("laptop")
OTHER_SEED = 1041
DOSE = 1000


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


def scores(network, truth: np.ndarray, scan: Scan) -> dict[str, float]:
    """Return MS-SSIM and MAE of both channels."""
    box = scanned_box(scan.positions).slices
    image = reconstruct(network, scan, DESIGN.grouping, DESIGN.seeds.grouping)[box]
    image = register.apply_gauge(image, register.fit_gauge(image, truth[box]))
    told = {c: score(*pair, DESIGN.ms_ssim_sigma) for c, pair in channels(image, truth[box]).items()}
    return {f"{c} {m}": round(told[c][m], 4) for c in ("phase", "amplitude") for m in ("ms_ssim", "mae")}


def row(name: str, trained: train.Trained, truth: np.ndarray, scans: dict[str, Scan]) -> dict[str, object]:
    """Return and print a row of the table."""
    told = {"variant": name, "seconds": round(trained.seconds, 1)} | scores(trained.network, truth, scans["test"])
    print(told, flush=True)
    return told


def baseline(name: str, settings: TrainingSettings, truth: np.ndarray, scans: dict[str, Scan]) -> dict[str, object]:
    """Train a Baseline and return its row."""
    patches = extract(truth, scans["train"].positions, DESIGN.sample.n_pixels)
    return row(name, train.train_baseline(scans["train"], patches, settings, DESIGN.seeds.training), truth, scans)


def main() -> None:
    """Train every variant and write the table."""
    truth, scans = halves()
    train.flat_object_loss = lambda scan: np.inf  # a variant that collapses is a result here
    as_is = (networks.HEAD_GAIN, layers.BACKGROUND, DESIGN.grouping, DESIGN.pinn)
    no_mirror = DESIGN.pinn.model_copy(update={"use_symmetries": False})
    variants = {
        "PtychoPINN": as_is,
        "PtychoPINN, single patterns (g = 1)": (
            *as_is[:2],
            DESIGN.grouping.model_copy(update={"gridsize": 1}),
            DESIGN.pinn,
        ),
        "PtychoPINN, no mirror images": (*as_is[:3], no_mirror),
        "PtychoPINN, no background in the likelihood": (as_is[0], 1e-6, *as_is[2:]),
        "PtychoPINN, rough first object": (1.0, *as_is[1:]),
        "PtychoPINN, clipping at 1.0": (*as_is[:3], DESIGN.pinn.model_copy(update={"clip_norm": 1.0})),
    }
    rows = []
    for name, (gain, background, grouping, settings) in variants.items():
        networks.HEAD_GAIN, layers.BACKGROUND, train.BACKGROUND = gain, background, background
        trained = train.train_pinn(scans["train"], grouping, settings, DESIGN.seeds.training, DESIGN.seeds.grouping)
        rows.append(row(name, trained, truth, scans))
    networks.HEAD_GAIN, layers.BACKGROUND, train.BACKGROUND = as_is[0], as_is[1], as_is[1]
    plain = DESIGN.baseline.model_copy(update={"use_symmetries": False})
    for name, settings in {"Baseline": DESIGN.baseline, "Baseline, no mirror images": plain}.items():
        rows.append(baseline(name, settings, truth, scans))
    truth, scans = halves(independent=True)
    trained = train.train_pinn(scans["train"], *as_is[2:], DESIGN.seeds.training, DESIGN.seeds.grouping)
    rows.append(row("PtychoPINN, amplitude and phase independent", trained, truth, scans))
    rows.append(baseline("Baseline, amplitude and phase independent", DESIGN.baseline, truth, scans))
    with (Path(__file__).parent / "ablation.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()

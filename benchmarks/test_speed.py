"""Speed of every stage on the laptop profile's shapes: `make bench`.

`patterns_per_second` in each benchmark's extra_info is what docs/results.md quotes. Nothing is asserted about time.
"""

from __future__ import annotations

import contextlib
import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest

from studylib import overlap, sample, simulate
from studylib.dataset import Scan
from studylib.design import StudyDesign, TrainingSettings

DESIGN = StudyDesign.for_profile("laptop")


@pytest.fixture(scope="module")
def source() -> sample.Sample:
    return sample.built_in(DESIGN.sample, DESIGN.seeds)


@pytest.fixture(scope="module")
def scan(source) -> Scan:
    """The dense view of the training half, 1000 photons a pattern."""
    generator = np.random.default_rng(1)
    positions = simulate.scan_positions(source.object.shape, 64, DESIGN.sample, generator)
    positions = positions[simulate.split_along_y(positions, 512, 64)["train"]]
    spacing = overlap.target_spacing(0.7, sample.probe_diameter(source.probe))
    positions = positions[overlap.thin(positions, spacing, 456)]
    probe = simulate.scale_probe(source.object, source.probe, positions, 1000)
    scale = simulate.intensity_scale(1000, 64)
    return Scan(simulate.count_photons(source.object, probe, positions, scale, generator), probe, positions, scale,
                source.object.shape, {})  # fmt: skip


def report(benchmark, patterns: int) -> None:
    benchmark.extra_info["patterns_per_second"] = round(patterns / benchmark.stats.stats.median, 1)


def test_simulation(benchmark, source, scan):
    generator = np.random.default_rng(2)
    benchmark(simulate.count_photons, source.object, scan.probe, scan.positions, scan.scale, generator)
    report(benchmark, len(scan.positions))


def test_grouping_512_patterns(benchmark, scan):
    from studylib.grouping import group

    benchmark(group, scan.positions[:512], DESIGN.grouping, 1)
    report(benchmark, 512)


def settings(mixed: bool) -> TrainingSettings:
    return DESIGN.pinn.model_copy(update={"steps": 20, "evaluations": 1, "mixed_precision": mixed})


@pytest.mark.parametrize("mixed", [True, False], ids=["bfloat16 where the processor has it", "float32"])
@pytest.mark.parametrize("gridsize", [1, 2])
def test_training_pinn(benchmark, scan, monkeypatch, gridsize, mixed):
    from studylib.learn import train

    monkeypatch.setattr(train, "flat_object_loss", lambda scan: np.inf)
    grouping = DESIGN.grouping.model_copy(update={"gridsize": gridsize})
    benchmark.pedantic(train.train_pinn, (scan, grouping, settings(mixed), 7, 123), rounds=3, warmup_rounds=1)
    report(benchmark, 20 * DESIGN.pinn.patterns_per_step)


@pytest.mark.parametrize("mixed", [True, False], ids=["bfloat16 where the processor has it", "float32"])
def test_training_baseline(benchmark, source, scan, monkeypatch, mixed):
    from studylib.errors import StageError
    from studylib.learn import train
    from studylib.windows import extract

    patches = extract(source.object, scan.positions, 64)
    monkeypatch.setattr(train, "ATTEMPTS", 1)

    def twenty_steps() -> None:
        with contextlib.suppress(StageError):  # twenty steps need not beat a flat object
            train.train_baseline(scan, patches, settings(mixed), 7)

    benchmark.pedantic(twenty_steps, rounds=3, warmup_rounds=1)
    report(benchmark, 20 * DESIGN.baseline.patterns_per_step)


@pytest.mark.parametrize("batch", [8, 64])
def test_prediction(benchmark, scan, batch):
    from studylib.learn.backend import precision
    from studylib.learn.networks import ptychopinn
    from studylib.learn.predict import predict

    network = ptychopinn(scan.probe, 4, DESIGN.pinn.width, scan.scale, precision(True))
    benchmark.pedantic(predict, (network, scan, DESIGN.grouping, 1), {"batch": batch}, rounds=3, warmup_rounds=1)
    report(benchmark, len(scan.positions))


def test_lsqml_epoch(benchmark, scan):
    from studylib.iterate import iterate

    few = DESIGN.iteration.model_copy(update={"epochs": 5})
    benchmark.pedantic(iterate, (scan, few, 1), rounds=2)
    report(benchmark, 5 * len(scan.positions))


def test_stitching(benchmark, source, scan):
    from studylib.stitch import stitch
    from studylib.windows import extract

    patches = extract(source.object, scan.positions, 64)
    benchmark.pedantic(stitch, ([(patches, scan.positions)], scan.probe, scan.shape, True), rounds=3)
    report(benchmark, len(scan.positions))


def test_scoring(benchmark, source):
    from studylib.compare import score

    truth = np.angle(source.object)[:190, :447]
    benchmark.pedantic(score, (truth + 0.01, truth, 1.0), rounds=3, warmup_rounds=1)

"""Speed of every stage on the laptop profile's shapes: `make bench`, then `docs/speed.md`.

Medians of repeats in one run; nothing is asserted about time.
"""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from conftest import DESIGN

from studylib.design import TrainingSettings
from studylib.physics import simulate

STEPS = 20
TRAINING = 100
"""Steps of a training, building the network and one evaluation included; the laptop profile takes 1,200."""
KINDS = pytest.mark.parametrize("mixed", [True, False], ids=["bfloat16", "float32"])
"""bfloat16 where the processor has it."""


def test_simulation(benchmark, rate, source, scan):
    generator = np.random.default_rng(2)
    arguments = (source.object, scan.probe, scan.positions, scan.scale, generator)
    benchmark.pedantic(simulate.count_photons, arguments, rounds=5, warmup_rounds=1)
    rate(len(scan.positions))


def test_grouping_512_patterns(benchmark, rate, scan):
    from studylib.physics.grouping import group

    benchmark.pedantic(group, (scan.positions[:512], DESIGN.grouping, 1), rounds=20)
    rate(512)


def _batch(scan):
    """One training batch: 8 groups of 4."""
    from studylib.learn.batches import group_batch
    from studylib.physics.grouping import group

    return group_batch(scan, group(scan.positions, DESIGN.grouping, 1)[:8])


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_steps(benchmark, rate, scan, framework):
    """Training steps alone, on one batch: through Keras' fit, and in a loop of plain torch.

    Before the trainings, whose remains slow down what allocates most; the warm-up is longer than HOT.
    """
    (amplitudes, offsets), counts = _batch(scan)
    if framework == "torch":
        import torch
        from bare_torch import PtychoPINN, step

        model = PtychoPINN(scan.probe, DESIGN.pinn.width, scan.scale).to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        tensors = torch.from_numpy(amplitudes), torch.from_numpy(offsets)

        def run() -> None:
            for _ in range(STEPS):
                step(model, optimizer, *tensors)
    else:
        import itertools

        from studylib.learn import networks, train
        from studylib.learn.batches import Stream
        from studylib.learn.layers import poisson_nll

        network, _ = _untrained(scan, 2)
        keras_model = networks.with_detector(network, scan.probe)
        keras_model.compile(optimizer=train._optimizer(DESIGN.pinn), loss=poisson_nll, jit_compile=False)
        stream = Stream(itertools.repeat(((amplitudes, offsets), counts)), STEPS)

        def run() -> None:
            keras_model.fit(stream, epochs=1, verbose=0)

    benchmark.pedantic(run, rounds=11, warmup_rounds=3)
    rate(STEPS * 32)


def settings(mixed: bool) -> TrainingSettings:
    return DESIGN.pinn.model_copy(update={"steps": TRAINING, "evaluations": 1, "mixed_precision": mixed})


@KINDS
@pytest.mark.parametrize("gridsize", [1, 2])
def test_training_pinn(benchmark, rate, scan, monkeypatch, gridsize, mixed):
    from studylib.learn import train

    monkeypatch.setattr(train, "flat_object_loss", lambda scan: np.inf)
    grouping = DESIGN.grouping.model_copy(update={"gridsize": gridsize})
    benchmark.pedantic(train.train_pinn, (scan, grouping, settings(mixed), 7, 123), rounds=3, warmup_rounds=1)
    rate(TRAINING * DESIGN.pinn.patterns_per_step)


@KINDS
def test_training_baseline(benchmark, rate, source, scan, monkeypatch, mixed):
    from studylib.errors import StageError
    from studylib.learn import train
    from studylib.physics.windows import extract

    patches = extract(source.object, scan.positions, 64)
    monkeypatch.setattr(train, "ATTEMPTS", 1)

    def some_steps() -> None:
        with contextlib.suppress(StageError):  # so few steps need not beat a flat object
            train.train_baseline(scan, patches, settings(mixed), 7)

    benchmark.pedantic(some_steps, rounds=3, warmup_rounds=1)
    rate(TRAINING * DESIGN.baseline.patterns_per_step)


def _untrained(scan, gridsize: int):
    """Return a new PtychoPINN of the laptop profile and its grouping."""
    from studylib.learn.backend import precision
    from studylib.learn.networks import ptychopinn

    grouping = DESIGN.grouping.model_copy(update={"gridsize": gridsize})
    network = ptychopinn(scan.probe, grouping.group_size, DESIGN.pinn.width, scan.scale, precision(True))
    return network, grouping


@pytest.mark.parametrize(("batch", "positions"), [(8, 874), (32, 874), (128, 874), (128, 4096)])
@pytest.mark.parametrize("gridsize", [1, 2])
def test_prediction(benchmark, rate, scan, gridsize, batch, positions):
    """Every pattern that goes through the network counts: with g = 2 each position is seen four times.

    Recorded operations after 40 batches, which g = 1 with batches of 128 takes more rounds to reach than its median
    has; 4096 positions are the short scan, repeated.
    """
    from studylib.learn.predict import predict

    network, grouping = _untrained(scan, gridsize)
    scan = scan.take(np.resize(np.arange(len(scan.positions)), positions))
    benchmark.pedantic(predict, (network, scan, grouping, 1), {"batch": batch}, rounds=5, warmup_rounds=3)
    rate(len(scan.positions) * grouping.group_size)


@pytest.mark.parametrize("gridsize", [1, 2])
def test_first_prediction(benchmark, rate, scan, gridsize):
    """The same of a network that has not run yet: nothing is recorded."""
    from studylib.learn.predict import predict

    def new() -> tuple:
        network, grouping = _untrained(scan, gridsize)
        return (network, scan, grouping, 1), {}

    benchmark.pedantic(predict, setup=new, rounds=5)
    rate(len(scan.positions) * gridsize**2)


@pytest.mark.parametrize("algorithm", ["LSQML", "rPIE"])
def test_iteration(benchmark, rate, scan, algorithm):
    """Five epochs, set-up included."""
    from studylib.arms.ptychi import iterate

    few = DESIGN.iteration.model_copy(update={"epochs": 5})
    benchmark.pedantic(iterate, (scan, few, 1, algorithm), rounds=3)
    rate(5 * len(scan.positions))


@pytest.mark.parametrize("agree", [False, True], ids=["mean", "turned to agree"])
def test_stitching(benchmark, rate, source, scan, agree):
    from studylib.physics.stitch import stitch
    from studylib.physics.windows import extract

    patches = extract(source.object, scan.positions, 64)
    benchmark.pedantic(stitch, ([(patches, scan.positions)], scan.probe, scan.shape, agree), rounds=3)
    rate(len(scan.positions))


def test_scoring(benchmark, source):
    from studylib.judge.compare import score

    truth = np.angle(source.object)[:190, :447]
    benchmark.pedantic(score, (truth + 0.01, truth, 1.0), rounds=3, warmup_rounds=1)

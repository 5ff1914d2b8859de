"""Speed of every stage on the laptop profile's shapes: `make bench`, then `docs/speed.md`.

Medians of repeats in one run; nothing is asserted about time.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.conftest import PINN
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

    benchmark.pedantic(group, (scan.positions[:512], PINN.grouping, 1), rounds=20)
    rate(512)


def _batch(scan):
    """One training batch: 8 groups of 4."""
    from studylib.learn.batches import group_batch
    from studylib.physics.grouping import group

    return group_batch(scan, group(scan.positions, PINN.grouping, 1)[:8])


def test_steps(benchmark, rate, scan):
    """Training steps alone, on one batch, through Keras' fit.

    Before the trainings, whose remains slow down what allocates most; the warm-up is longer than HOT.
    """
    import itertools

    from studylib.learn import fitting, networks
    from studylib.learn.batches import Stream
    from studylib.learn.layers import poisson_nll

    network, _ = _untrained(scan, 2)
    keras_model = networks.with_detector(network, scan.probe)
    keras_model.compile(optimizer=fitting.optimizer(PINN), loss=poisson_nll, jit_compile=False)
    stream = Stream(itertools.repeat(_batch(scan)), STEPS)

    def run() -> None:
        keras_model.fit(stream, epochs=1, verbose=0)

    benchmark.pedantic(run, rounds=11, warmup_rounds=3)
    rate(STEPS * 32)


def settings(mixed: bool) -> TrainingSettings:
    return PINN.model_copy(update={"steps": TRAINING, "evaluations": 1, "mixed_precision": mixed})


@KINDS
@pytest.mark.parametrize("gridsize", [1, 2])
def test_training_pinn(benchmark, rate, scan, monkeypatch, gridsize, mixed):
    from studylib.learn import train

    monkeypatch.setattr(train, "flat_object_loss", lambda scan: np.inf)
    grouping = PINN.grouping.model_copy(update={"gridsize": gridsize})
    benchmark.pedantic(train.train_pinn, (scan, grouping, settings(mixed), 7, 123), rounds=3, warmup_rounds=1)
    rate(TRAINING * PINN.patterns_per_step)


@KINDS
def test_training_baseline(benchmark, rate, source, scan, monkeypatch, mixed):
    from studylib.learn import fitting, train
    from studylib.physics.windows import extract

    patches = extract(source.object, scan.positions, 64)
    monkeypatch.setattr(fitting, "ATTEMPTS", 1)
    benchmark.pedantic(train.train_baseline, (scan, patches, settings(mixed), 7), rounds=3, warmup_rounds=1)
    rate(TRAINING * PINN.patterns_per_step)


def _untrained(scan, gridsize: int):
    """Return a new PtychoPINN of the laptop profile and its grouping."""
    from studylib.learn.backend import precision
    from studylib.learn.networks import ptychopinn

    grouping = PINN.grouping.model_copy(update={"gridsize": gridsize})
    network = ptychopinn(scan.probe, grouping.group_size, PINN.width, scan.scale, precision(True))
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


@pytest.mark.parametrize(
    ("key", "few"), [("ptychi", {"epochs": 5}), ("map", {"iterations": 5, "rounds": 1})], ids=["ptychi", "map"]
)
def test_iteration(benchmark, rate, scan, key, few):
    """Five epochs or iterations, set-up included."""
    from studylib.arms.registry import arm
    from studylib.design import Seeds

    benchmark.pedantic(arm(key).reconstruct, (scan, arm(key).settings(**few), Seeds()), rounds=3)
    rate(5 * len(scan.positions))


@pytest.mark.parametrize("agree", [False, True], ids=["mean", "turned to agree"])
def test_stitching(benchmark, rate, source, scan, agree):
    from studylib.physics.stitch import stitch
    from studylib.physics.windows import extract

    patches = extract(source.object, scan.positions, 64)
    benchmark.pedantic(stitch, ([(patches, scan.positions)], scan.probe, scan.shape, agree), rounds=3)
    rate(len(scan.positions))


def test_scoring(benchmark, source):
    from studylib.judge.scores import score_image

    truth = source.object[:190, :447]
    benchmark.pedantic(score_image, (truth * 1.01, truth, 1.0, np.angle(truth)), rounds=3, warmup_rounds=1)

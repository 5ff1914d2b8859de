"""Fitting of either network: one schedule, one clipping of gradients and one way to choose the checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from studylib import progress
from studylib.design import TrainingSettings
from studylib.errors import StageError
from studylib.learn.backend import seed_all
from studylib.learn.batches import Batch, Stream
from studylib.reconstruction import Trained, peak_memory_mib

ATTEMPTS = 2
"""Largest number of trainings, each with a seed of its own."""


class _Recorder(keras.callbacks.Callback):
    """Keep the history and the weights of the best held-out loss, and show progress.

    Parameters
    ----------
    network
        Network whose weights are kept; the trained model may hold more layers.
    settings
        Its number of steps is the length of the progress bar.
    name
        Name of the arm, for the progress bar.
    attempt
        Number of the training, 1 or 2, for the history.
    """

    def __init__(self, network: keras.Model, settings: TrainingSettings, name: str, attempt: int) -> None:
        super().__init__()
        self.network, self.attempt = network, attempt
        self.rows: list[dict[str, float]] = []
        self.best, self.weights = np.inf, network.get_weights()
        self.bar = progress.bar(settings.steps, f"train {name}", "step")
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Move the progress bar by one step."""
        self.bar.update(1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add one row to the history, and keep the weights if their held-out loss is the best so far.

        Raises
        ------
        StageError
            A loss is not finite: the training diverged.
        """
        loss, held_out = float(logs["loss"]), float(logs["val_loss"])
        if not np.isfinite([loss, held_out]).all():
            raise StageError(f"training diverged at evaluation {epoch + 1}: loss {loss}, held out {held_out}")
        if held_out < self.best:
            self.best, self.weights = held_out, self.network.get_weights()
        self.rows.append(
            {
                "epoch": epoch + 1,
                "seconds": time.perf_counter() - self.start,
                "learning_rate": float(ops.convert_to_numpy(self.model.optimizer.learning_rate)),
                "loss": loss,
                "val_loss": held_out,
                "attempt": self.attempt,
            }
        )
        self.bar.set_postfix(loss=f"{loss:.5f}", held_out=f"{held_out:.5f}")

    def on_train_end(self, logs: Any = None) -> None:
        """Close the progress bar."""
        self.bar.close()


def schedule(settings: TrainingSettings) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate: linear warm-up, then cosine decay to zero.

    Parameters
    ----------
    settings
        Number of steps, largest learning rate, and the fraction of the steps that is warm-up.

    Returns
    -------
    Keras learning-rate schedule
    """
    warmup = int(settings.warmup_fraction * settings.steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else settings.learning_rate,
        settings.steps - warmup,
        warmup_target=settings.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def optimizer(settings: TrainingSettings) -> keras.optimizers.Optimizer:
    """Return Adam with the learning rate of `schedule` and a bound on the global norm of the gradient."""
    return keras.optimizers.Adam(schedule(settings), global_clipnorm=settings.clip_norm)


def _fit(
    model: keras.Model,
    network: keras.Model,
    batches: Iterator[Batch],
    held_out: Batch,
    settings: TrainingSettings,
    name: str,
    attempt: int,
) -> _Recorder:
    """Train a model once and give the network its best weights.

    Parameters
    ----------
    model
        Compiled model, which holds the network.
    network
        Network whose best weights are kept.
    batches
        Endless stream of training batches.
    held_out
        One batch; its loss chooses the weights.
    settings
        Steps and number of evaluations.
    name, attempt
        Name of the arm and number of the training, for progress and history.

    Returns
    -------
    _Recorder with the history and the best held-out loss

    Raises
    ------
    StageError
        The training diverged.
    """
    evaluations = min(settings.evaluations, settings.steps)
    recorder = _Recorder(network, settings, name, attempt)
    # A Keras "epoch" is the time between two evaluations here.
    model.fit(
        Stream(batches, settings.steps // evaluations),
        epochs=evaluations,
        validation_data=held_out,
        # Small batches bound the memory; the mean loss is the same.
        validation_batch_size=8,
        verbose=0,
        callbacks=[recorder],
    )
    network.set_weights(recorder.weights)
    return recorder


def train_twice(
    build: Callable[[], tuple[keras.Model, keras.Model]],
    batches: Callable[[np.random.Generator], Iterator[Batch]],
    held_out: Batch,
    flat_loss: float,
    settings: TrainingSettings,
    seed: int,
    name: str,
) -> Trained:
    """Train a network; if it does not beat the constant object, train again with another seed and keep the better one.

    Parameters
    ----------
    build
        Makes an untrained network and the compiled model that trains it.
    batches
        Function from a generator to an endless stream of training batches.
    held_out
        One batch, whose loss chooses the weights and judges the network.
    flat_loss
        Held-out loss of the best constant object.
    settings
        Settings of the training.
    seed
        Seed of the first training; the second one uses the next number.
    name
        Name of the arm, for the progress bar.

    Returns
    -------
    Trained
        With the history and the time of both trainings.

    Raises
    ------
    StageError
        A training diverged.
    """
    start, history = time.perf_counter(), []
    best: tuple[float, keras.Model] | None = None
    for attempt in range(1, ATTEMPTS + 1):
        # Seeded before the network is built, so that its first weights depend on the seed alone.
        seed_all(seed + attempt - 1)
        network, model = build()
        generator = np.random.default_rng(seed + attempt - 1)
        recorder = _fit(model, network, batches(generator), held_out, settings, name, attempt)
        history += recorder.rows
        if best is None or recorder.best < best[0]:
            best = recorder.best, network
        if recorder.best < flat_loss:
            break
    assert best is not None
    seconds = time.perf_counter() - start
    rate = attempt * settings.steps * settings.patterns_per_step / seconds
    return Trained(best[1], history, seconds, peak_memory_mib(), flat_loss, rate, attempt, best[0] < flat_loss)

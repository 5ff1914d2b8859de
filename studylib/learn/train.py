"""Training of both networks: PtychoPINN on counts, and the Baseline on true patches."""

from __future__ import annotations

import time

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from studylib import progress
from studylib.design import GroupingSettings, Seeds, TrainingSettings
from studylib.errors import StageError
from studylib.learn.backend import precision, seed_all
from studylib.learn.batches import (
    Stream,
    group_batch,
    group_batches,
    pattern_batch,
    pattern_batches,
    thin_counts,
)
from studylib.learn.fitting import optimizer, train_twice
from studylib.learn.layers import Tensor, poisson_nll
from studylib.learn.networks import baseline, group_size, ptychopinn, with_detector
from studylib.learn.predict import reconstruct
from studylib.learn.recorded import Recorded
from studylib.learn.symmetry import SQUARE, Symmetry, symmetries_of
from studylib.physics.grouping import group, hold_out
from studylib.physics.likelihood import poisson_loss
from studylib.reconstruction import Reconstruction, Trained, peak_memory_mib
from studylib.scan import Scan

HELD_OUT = 2**25
"""Largest number of detector pixels from which the held-out loss is taken: 8,192 patterns of 64 x 64 pixels."""


def build_network(scan: Scan, settings: TrainingSettings, group_size: int = 0, updates: int = 0) -> keras.Model:
    """Build an untrained network with the probe, the scale and the mask of a scan.

    Parameters
    ----------
    scan
        Probe, scale, mask, and the counts that set the gauge.
    settings
        Width, skip connections and precision.
    group_size
        C of a PtychoPINN; 0 for a Baseline.
    updates
        Number of updates of a group's object before PtychoPINN sees it.

    Returns
    -------
    keras.Model
    """
    policy, gauge = precision(settings.mixed_precision), scan.best_constant()
    width, skips = settings.width, settings.skips
    if not group_size:
        return baseline(scan.n_pixels, width, scan.scale, policy, skips, gauge)
    return ptychopinn(scan.probe, group_size, width, scan.scale, policy, skips, gauge, updates, scan.mask)


def for_scan(network: keras.Model, scan: Scan, settings: TrainingSettings, updates: int = 0) -> keras.Model:
    """Return a trained network with the probe, the scale and the mask of another scan, and the same weights.

    The weights see patterns that are divided by the scale and objects whose best constant is 1, so they belong to no
    dose.

    Parameters
    ----------
    network
        Trained network.
    scan
        Scan to be reconstructed, with windows of the size that the network was trained on.
    settings, updates
        Those with which the network was trained.

    Returns
    -------
    keras.Model

    Raises
    ------
    StageError
        The windows have another size, or the weights belong to another architecture.
    """
    built = build_network(scan, settings, group_size(network), updates)
    if [i.shape for i in built.inputs] != [i.shape for i in network.inputs]:
        sides = f"{network.inputs[0].shape[-1]} px", f"{scan.n_pixels} px"
        raise StageError(f"network was trained on windows of {sides[0]}, the data set has {sides[1]}")
    try:
        built.set_weights(network.get_weights())
    except ValueError as error:
        raise StageError(f"the settings are not those that the network was trained with: {error}") from error
    return built


def train_pinn(
    scan: Scan,
    grouping: GroupingSettings,
    settings: TrainingSettings,
    seed: int,
    grouping_seed: int,
    updates: int = 0,
) -> Trained:
    """Train PtychoPINN by the Poisson likelihood of the measured counts; it never sees an object.

    Parameters
    ----------
    scan
        Training half of a view.
    grouping
        g and K; a step takes patterns_per_step / C groups.
    settings
        Settings of the training.
    seed
        Seed of weights and batches.
    grouping_seed
        Seed of the held-out groups.
    updates
        Number of updates of a group's object before the network sees it.

    Returns
    -------
    Trained

    Raises
    ------
    StageError
        The training diverged.
    InputError
        There are too few positions for a group.
    """
    kept, held = hold_out(scan.positions, settings.validation_fraction, grouping.group_size)
    size = max(1, settings.patterns_per_step // grouping.group_size)
    groups = held[group(scan.positions[held], grouping, grouping_seed)]
    held_out = group_batch(scan, _at_most(max(1, _patterns(scan) // grouping.group_size), groups))
    # The held-out batch is thinned once, so that every evaluation sees the same counts.
    held_out = thin_counts(held_out, settings.thinning, np.random.default_rng(grouping_seed), scan)
    symmetries = _symmetries(scan, settings)

    def build() -> tuple[keras.Model, keras.Model]:
        network = build_network(scan, settings, grouping.group_size, updates)
        model = with_detector(network, scan.probe, scan.mask, scan.background)
        model.compile(optimizer=optimizer(settings), loss=poisson_nll, jit_compile=False)
        return network, model

    return train_twice(
        build,
        lambda generator: group_batches(scan, kept, grouping, size, symmetries, settings.thinning, generator),
        held_out,
        flat_object_loss(scan.take(_at_most(_patterns(scan), held))),
        settings,
        seed,
        "PtychoPINN",
    )


def adapt_pinn(
    network: keras.Model, scan: Scan, grouping: GroupingSettings, settings: TrainingSettings, seeds: Seeds, epochs: int
) -> Reconstruction:
    """Fine-tune PtychoPINN on the patterns to be reconstructed, and reconstruct them; no truth is needed.

    Parameters
    ----------
    network
        Trained network; its weights are changed.
    scan
        Split to be reconstructed.
    grouping
        g and K; a step takes patterns_per_step / C groups.
    settings
        Settings of the training.
    seeds
        Seeds of batches (training) and of the groups of the reconstruction (grouping).
    epochs
        Passes over the positions of the scan, at a third of the learning rate, which decays to zero.

    Returns
    -------
    Reconstruction
        Object (rows, columns) complex64, and the mean training loss of each pass.

    Raises
    ------
    StageError
        The training diverged.
    """
    size = max(1, settings.patterns_per_step // grouping.group_size)
    steps = max(1, len(scan.positions) // size)
    model = with_detector(network, scan.probe, scan.mask, scan.background)
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate / 3, max(1, steps * epochs))
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=settings.clip_norm)
    model.compile(optimizer=optimizer, loss=poisson_nll, jit_compile=False)
    seed_all(seeds.training)
    generator = np.random.default_rng(seeds.training)
    # No position is held out: the image of these very positions is wanted.
    everything, symmetries = np.arange(len(scan.positions)), _symmetries(scan, settings)
    batches = group_batches(scan, everything, grouping, size, symmetries, settings.thinning, generator)
    start = time.perf_counter()
    with progress.bar(epochs, "adapt PtychoPINN", "epoch") as bar:
        each = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.update(1))
        loss = model.fit(Stream(batches, steps), epochs=epochs, verbose=0, callbacks=[each]).history.get("loss", [])
    if not np.isfinite(loss).all():
        raise StageError("PtychoPINN diverged while it adapted: its loss is not finite")
    image = reconstruct(network, scan, grouping, seeds.grouping)
    return Reconstruction(image, np.array(loss), time.perf_counter() - start, peak_memory_mib())


def _patterns(scan: Scan) -> int:
    """Return the largest number of patterns for the held-out loss, so that their memory does not grow with N."""
    return max(1, HELD_OUT // scan.n_pixels**2)


def _at_most(n: int, indices: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return at most n entries of the first axis, evenly spread, so that memory does not grow with the scan."""
    return indices if len(indices) <= n else indices[np.linspace(0, len(indices) - 1, n).astype(int)]


def _symmetries(scan: Scan, settings: TrainingSettings) -> tuple[Symmetry, ...]:
    """Return the symmetries that the training uses: those of the scan, or only the identity."""
    return symmetries_of(scan) if settings.use_symmetries else SQUARE[:1]


def flat_object_loss(scan: Scan) -> float:
    """Return the Poisson loss of the best constant object, nats per pixel.

    That object expects the probe's own pattern at every position, scaled to the counts, plus the background.

    Parameters
    ----------
    scan
        Counts, probe, mask and background.

    Returns
    -------
    Mean over positions and pixels, the scale of `studylib.learn.layers.poisson_nll`
    """
    light = scan.best_constant() ** 2 * (scan.flat if scan.mask is None else scan.flat * scan.mask)
    expected = light if scan.dark is None else light + scan.dark
    # The loss is linear in the counts, so that the mean pattern has the mean loss.
    return float(np.mean(poisson_loss(scan.counts.mean(axis=0), expected)))


def train_baseline(scan: Scan, patches: NDArray[np.complex64], settings: TrainingSettings, seed: int) -> Trained:
    """Train the Baseline on true patches: MAE(amplitude) + MAE(phase), weighted by the illumination.

    Parameters
    ----------
    scan
        Training half of a view.
    patches : (positions, N, N) complex64
        True object patches of the same positions.
    settings
        Settings of the training.
    seed
        Seed of weights and batches.

    Returns
    -------
    Trained

    Raises
    ------
    StageError
        The training diverged.
    """
    kept, held = hold_out(scan.positions, settings.validation_fraction)
    held_out = pattern_batch(scan, patches, _at_most(_patterns(scan), held))
    weight = np.abs(scan.probe) ** 2
    # Mean 1, so that the loss keeps the unit of the maps.
    weight = (weight / weight.mean()).astype(np.float32)

    def amplitude_loss(truth: Tensor, image: Tensor) -> Tensor:
        """Return the weighted MAE of the amplitude, (batch,), from (batch, N, N)."""
        return ops.mean(weight_tensor * ops.abs(truth - image), axis=(-1, -2))

    def phase_loss(truth: Tensor, image: Tensor) -> Tensor:
        """Return the weighted MAE of the phase, rad, (batch,), from (batch, N, N)."""
        # True phases are known modulo 2 pi, so the nearest equivalent phase counts.
        difference = image - truth
        turns = ops.stop_gradient(ops.round(difference / (2 * np.pi)))
        return ops.mean(weight_tensor * ops.abs(difference - 2 * np.pi * turns), axis=(-1, -2))

    weight_tensor = ops.convert_to_tensor(weight)
    symmetries = _symmetries(scan, settings)

    def build() -> tuple[keras.Model, keras.Model]:
        network = build_network(scan, settings)
        model = Recorded(network)
        model.compile(optimizer=optimizer(settings), loss=[amplitude_loss, phase_loss], jit_compile=False)
        return network, model

    # Loss of a constant object on the held-out patches: median amplitude and mean phase of the training patches.
    some = patches[_at_most(_patterns(scan), kept)]
    level, angle = float(np.median(np.abs(some))), float(np.angle(np.sum(some)))
    left = held_out[1][0] * np.exp(1j * (held_out[1][1] - angle))
    flat = float(np.mean(weight * np.abs(held_out[1][0] - level)) + np.mean(weight * np.abs(np.angle(left))))
    return train_twice(
        build,
        lambda generator: pattern_batches(scan, patches, kept, settings.patterns_per_step, symmetries, generator),
        held_out,
        flat,
        settings,
        seed,
        "Baseline",
    )

"""Streams of training batches: made from counts, drawn by seed, never the whole data set at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from studylib.design import GroupingSettings
from studylib.learn.symmetry import Symmetry
from studylib.physics.grouping import group, offsets
from studylib.scan import Scan

Batch = tuple[Any, Any]
"""Input and target of a training step."""


class Stream(keras.utils.PyDataset):
    """An endless seeded stream, presented to Keras as a data set with a fixed number of steps per epoch.

    Parameters
    ----------
    batches
        Yields (input, target).
    steps
        Batches per epoch.
    """

    def __init__(self, batches: Iterator[Batch], steps: int) -> None:
        super().__init__()
        self._batches, self._steps = batches, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Batch:
        # The index is not used: the stream itself is in random order.
        return next(self._batches)


def shuffled(draw: Callable[[int], NDArray], size: int, generator: np.random.Generator) -> Iterator[NDArray]:
    """Yield blocks of indices for ever.

    Every pass starts with a fresh draw by seed. Its incomplete last block is left out, unless it is the only one.

    Parameters
    ----------
    draw
        Function from a seed to the indices of a pass, along the first axis.
    size
        Number of indices in a block.
    generator
        Source of the seeds and of the order.

    Yields
    ------
    (at most size, ...) int
        What `draw` returned, in random order.
    """
    while True:
        pool = draw(int(generator.integers(2**31)))
        pool = pool[generator.permutation(len(pool))]
        for start in range(0, max(len(pool) - size, 0) + 1, size):
            yield pool[start : start + size]


def pattern_batches(
    scan: Scan,
    patches: NDArray[np.complex64],
    part: NDArray[np.intp],
    size: int,
    symmetries: Sequence[Symmetry],
    generator: np.random.Generator,
) -> Iterator[Batch]:
    """Yield patterns and true patches for the Baseline.

    Each batch is transformed by one of the probe's symmetries, drawn anew.

    Parameters
    ----------
    scan
        Counts, mask and background.
    patches : (positions, N, N) complex64
        True object patches.
    part : (some,) int
        Indices of the positions to draw from.
    size
        Patterns per batch.
    symmetries
        Symmetries of the probe, see `studylib.learn.symmetry.symmetries_of`.
    generator
        Source of order and symmetries.

    Yields
    ------
    input : (size, N, N) float32
        sqrt(counts), zero frequency in the centre.
    target : two (size, N, N) float32
        Amplitude and phase (rad) of the true patches.
    """
    for chosen in shuffled(lambda _: part, size, generator):
        turn = symmetries[int(generator.integers(len(symmetries)))].image
        pattern, truth = pattern_batch(scan, patches, chosen)
        yield turn(pattern), (turn(truth[0]), turn(truth[1]))


def pattern_batch(scan: Scan, patches: NDArray[np.complex64], chosen: NDArray[np.intp]) -> Batch:
    """Return input and target of the Baseline for some positions.

    Parameters
    ----------
    scan
        Counts, mask and background.
    patches : (positions, N, N) complex64
        True object patches.
    chosen : (some,) int
        Indices of the positions.

    Returns
    -------
    input : (some, N, N) float32
        sqrt(counts), zero frequency in the centre.
    target : two (some, N, N) float32
        Amplitude and phase (rad) of the true patches.
    """
    truth = patches[chosen]
    return scan.amplitudes(scan.take(chosen).counts), (np.abs(truth), np.angle(truth))


def group_batches(
    scan: Scan,
    part: NDArray[np.intp],
    settings: GroupingSettings,
    size: int,
    symmetries: Sequence[Symmetry],
    thinning: float,
    generator: np.random.Generator,
) -> Iterator[Batch]:
    """Yield groups of patterns for PtychoPINN; the target is their counts.

    Groups are drawn anew in every pass (K choose C), from the same K neighbours. Each batch is transformed by one of
    the probe's symmetries, and its counts are thinned anew.

    Parameters
    ----------
    scan
        Counts, positions, mask and background.
    part : (some,) int
        Indices of the positions that the groups are made of.
    settings
        gridsize g, with C = g^2 positions per group, and K.
    size
        Groups per batch.
    symmetries
        Symmetries of the probe, see `studylib.learn.symmetry.symmetries_of`.
    thinning
        q of `thin_counts`.
    generator
        Source of groups, order, symmetries and thinning.

    Yields
    ------
    input
        As returned by `group_batch`.
    target : (size, C, N, N) float32
        Counts, zero frequency in the centre.
    """
    positions = scan.positions[part]
    for groups in shuffled(lambda seed: part[group(positions, settings, seed)], size, generator):
        symmetry = symmetries[int(generator.integers(len(symmetries)))]
        # Patterns, offsets and fractions turn together: a mirrored pattern belongs to a mirrored scan.
        (amplitudes, *places), counts = group_batch(scan, groups)
        batch = (symmetry.image(amplitudes), *map(symmetry.offset, places)), symmetry.image(counts)
        yield thin_counts(batch, thinning, generator, scan)


def group_batch(scan: Scan, groups: NDArray[np.intp]) -> Batch:
    """Return input and target of PtychoPINN for some groups.

    Parameters
    ----------
    scan
        Counts, positions, mask and background.
    groups : (groups, C) int
        Indices of the positions.

    Returns
    -------
    input : (groups, C, N, N), (groups, C, 2) and (groups, C, 2) float32
        sqrt(counts), zero frequency in the centre; x and y of each window relative to the first one's, whole pixels; x
        and y of the remainders after rounding, pixels.
    target : (groups, C, N, N) float32
        Counts, zero frequency in the centre.
    """
    # (group, member, row, column)
    counts = scan.take(groups.ravel()).counts.reshape(*groups.shape, scan.n_pixels, scan.n_pixels)
    return (scan.amplitudes(counts), *offsets(scan.positions, groups)), counts


def thin_counts(batch: Batch, thinning: float, generator: np.random.Generator, scan: Scan | None = None) -> Batch:
    """Split the counts of a batch into a part that the network sees and a part that its output is compared with.

    A fraction q of n counts is drawn: b ~ Binomial(n, q), and a = n - b. If n is Poisson, a and b are independent
    Poisson variables. So a network that sees a / (1 - q) cannot explain b / q any better by copying noise.

    Parameters
    ----------
    batch
        As `group_batch` returns it, with whole counts.
    thinning
        q, from 0 (the batch stays as it is) to less than 1.
    generator
        Source of the draw.
    scan
        Its mask tells the pixels whose input stays as it is, and its background is subtracted from what the network
        sees. None where there is neither.

    Returns
    -------
    Batch of the same shapes: roots of a / (1 - q) as input, b / q as target, both float32

    References
    ----------
    Leiner et al., Data fission: splitting a single data point, JASA 120, 135 (2025), sec. 2.
    Lehtinen et al., Noise2Noise: learning image restoration without clean data, ICML (2018).
    """
    if not thinning:
        return batch
    (amplitudes, *places), counts = batch
    kept_back = generator.binomial(counts.astype(np.int64), thinning)
    # Divided by its fraction, each part has the mean of the whole counts.
    left = (counts - kept_back) / (1 - thinning)
    shown = np.sqrt(left if scan is None else scan.light(left)).astype(np.float32)
    if scan is not None and scan.mask is not None:
        # There the input already holds the best constant object's amplitudes.
        shown = np.where(scan.mask, shown, amplitudes)
    return (shown, *places), (kept_back / thinning).astype(np.float32)

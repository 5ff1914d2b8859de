"""Streams of training batches: counts in, drawn by seed, never the whole data set at once."""

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
"""Input and target of a step."""


class Stream(keras.utils.PyDataset):
    """An endless seeded stream as a Keras data set of a number of steps.

    Parameters
    ----------
    batches
        Yields (input, target).
    steps
        Batches an epoch.
    """

    def __init__(self, batches: Iterator[Batch], steps: int) -> None:
        super().__init__()
        self._batches, self._steps = batches, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Batch:
        return next(self._batches)


def shuffled(draw: Callable[[int], NDArray], size: int, generator: np.random.Generator) -> Iterator[NDArray]:
    """Yield index blocks for ever: a fresh draw by seed each pass, the incomplete last one left out."""
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
    """Yield patterns and true patches for the Baseline: (size, N, N) sqrt(counts), two targets.

    Each batch is seen under one of the probe's symmetries, drawn anew.

    Parameters
    ----------
    patches : (positions, N, N) complex64
        True object patches.
    part
        Indices of the positions to draw from.
    """
    for chosen in shuffled(lambda _: part, size, generator):
        turn = symmetries[int(generator.integers(len(symmetries)))].image
        pattern, truth = pattern_batch(scan, patches, chosen)
        yield turn(pattern), (turn(truth[0]), turn(truth[1]))


def pattern_batch(scan: Scan, patches: NDArray[np.complex64], chosen: NDArray[np.intp]) -> Batch:
    """Return input and target of some positions for the Baseline."""
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
    """Yield groups for PtychoPINN: [(size, C, N, N) sqrt(counts), offsets, fractions], counts as target.

    Groups are drawn anew every pass (K choose C), from the same K neighbours; each batch is seen
    under one of the probe's symmetries, and its counts are thinned anew.

    Parameters
    ----------
    part
        Indices of the positions that the groups are of.
    thinning
        q of `thin_counts`.
    """
    positions = scan.positions[part]
    for groups in shuffled(lambda seed: part[group(positions, settings, seed)], size, generator):
        symmetry = symmetries[int(generator.integers(len(symmetries)))]
        (amplitudes, *places), counts = group_batch(scan, groups)
        batch = (symmetry.image(amplitudes), *map(symmetry.offset, places)), symmetry.image(counts)
        yield thin_counts(batch, thinning, generator, scan)


def group_batch(scan: Scan, groups: NDArray[np.intp]) -> Batch:
    """Return input and target of some groups."""
    counts = scan.take(groups.ravel()).counts.reshape(*groups.shape, scan.n_pixels, scan.n_pixels)
    return (scan.amplitudes(counts), *offsets(scan.positions, groups)), counts


def thin_counts(batch: Batch, thinning: float, generator: np.random.Generator, scan: Scan | None = None) -> Batch:
    """Split the counts of a batch into what the network sees and what it is held against.

    Of n counts a share q is drawn: b ~ Binomial(n, q), and a = n - b. If n is Poisson, a and b are
    independent Poisson variables, so a network that is shown a / (1 - q) cannot earn anything with b / q
    by copying noise.

    Parameters
    ----------
    batch
        As `group_batch` returns it, whole counts.
    thinning
        q, from 0 (the batch as it is) to less than 1.
    scan
        Whose mask tells the pixels whose input stays as it is, and whose background is taken off what is shown; None
        where there is neither.

    References
    ----------
    Leiner et al., Data fission: splitting a single data point, JASA 120, 135 (2025), sec. 2.
    Lehtinen et al., Noise2Noise: learning image restoration without clean data, ICML (2018).
    """
    if not thinning:
        return batch
    (amplitudes, *places), counts = batch
    kept_back = generator.binomial(counts.astype(np.int64), thinning)
    left = (counts - kept_back) / (1 - thinning)
    shown = np.sqrt(left if scan is None else scan.light(left)).astype(np.float32)
    if scan is not None and scan.mask is not None:
        shown = np.where(scan.mask, shown, amplitudes)
    return (shown, *places), (kept_back / thinning).astype(np.float32)

"""Which way round a detector looks: eight transposes and flips of the patterns, and the sign of the positions.

With a known probe all sixteen differ, and a short reconstruction each tells which explains counts that it was not
fitted to. Without one some are the same: a pattern turned by half a turn is that of the conjugate exit wave, and
positions of the other sign are that and an inversion of everything. What is left are four classes, told by the mean
deflection of the patterns: it is the gradient of the object's phase, and a gradient has no curl.

References
----------
Dekkers, de Lang, Differential phase contrast in a STEM, Optik 41, 452 (1974) (the deflection is the phase's gradient).
Savitzky et al., py4DSTEM, Microsc. Microanal. 27, 712 (2021), sec. 3.5 (rotation found by the least curl).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CloughTocher2DInterpolator
from scipy.spatial import cKDTree

from studylib import progress
from studylib.errors import InputError
from studylib.judge.consistency import Gain, pattern_losses
from studylib.measured import Measured
from studylib.physics.grouping import middle
from studylib.physics.split import share_of, split_counts
from studylib.scan import Scan

SHARES = (0.9, 0.1)
"""Of the counts that are fitted, and of those that choose."""
CLEAR = 0.75
"""Largest curl of the best class, as a share of the next one's, that makes it clear."""
LEAST_BEND = 3.0
"""Least spread of the deflections, in units of what photon noise alone would give."""


@dataclass(frozen=True)
class Orientation:
    """What turns a file's patterns and positions into the study's frame.

    Attributes
    ----------
    name
        Of what is done to the patterns.
    transpose, flip_columns, flip_rows
        Done to each pattern in this order.
    sign
        What positions are multiplied by.
    """

    name: str
    transpose: bool
    flip_columns: bool
    flip_rows: bool
    sign: int

    def __str__(self) -> str:
        return self.name + ("" if self.sign > 0 else ", positions negated")

    @property
    def matrix(self) -> NDArray[np.int64]:
        """Return what happens to x and y of a pixel, from the centre, (2, 2)."""
        turned = np.array([[0, 1], [1, 0]]) if self.transpose else np.eye(2, dtype=np.int64)
        return np.diag([-1 if self.flip_columns else 1, -1 if self.flip_rows else 1]) @ turned

    @property
    def inverse(self) -> Orientation:
        """Return the one that turns patterns back; its sign is +1."""
        return next(o for o in ORIENTATIONS if np.array_equal(o.matrix @ self.matrix, np.eye(2)))

    def of_patterns(self, patterns: NDArray) -> NDArray:
        """Return patterns (some, N, N), the zero frequency kept at its pixel."""
        turned = np.swapaxes(patterns, 1, 2) if self.transpose else patterns
        axes = tuple(axis for axis, flips in ((1, self.flip_rows), (2, self.flip_columns)) if flips)
        # The zero frequency is at N/2: a plain flip would move it by a pixel.
        return np.roll(np.flip(turned, axes), (1,) * len(axes), axes) if axes else turned


_NAMES = {
    (0, 0, 0): "as it is", (0, 1, 0): "columns flipped", (0, 0, 1): "rows flipped", (0, 1, 1): "turned by 180 degrees",
    (1, 0, 0): "transposed", (1, 1, 0): "transposed, then columns flipped", (1, 0, 1): "transposed, then rows flipped",
    (1, 1, 1): "transposed across the other diagonal",
}  # fmt: skip
ORIENTATIONS = [
    Orientation(_NAMES[t, c, r], bool(t), bool(c), bool(r), sign)
    for sign, t, c, r in product((1, -1), (0, 1), (0, 1), (0, 1))
]


def scrambled(scan: Measured, by: Orientation) -> Measured:
    """Return a scan as a file would hold it that was written the other way round: `by` mends it."""
    patterns, where = by.inverse.of_patterns(scan.counts(slice(None))), scan.places
    assert where is not None
    return replace(scan, patterns=patterns, amplitude=False, positions=by.sign * where)


@dataclass(frozen=True)
class Tried:
    """A short reconstruction: loss of the counts that choose, nats per pattern, and its error beside the best."""

    orientation: Orientation
    loss: float
    standard_error: float


def with_probe(scan: Measured, most: int = 150, iterations: int = 60, seed: int = 0) -> list[Tried]:
    """Reconstruct a part of a scan in all sixteen orientations by MAP, the best first.

    Parameters
    ----------
    scan
        With patterns, positions and probe, one object pixel a detector pixel.
    most
        Positions that are used, those nearest to the middle.
    iterations
        Of the solver.
    seed
        Of the split of the counts.

    Raises
    ------
    InputError
        Patterns, positions or probe are missing, or patterns are no squares.
    """
    from studylib.arms.map import MapSettings, solve

    part = _part(scan, most)
    settings = MapSettings(tv=0.1, amplitude_tv=1.0, iterations=iterations, rounds=1)
    fit, held = split_counts(part.counts.astype(np.int64), SHARES, np.random.default_rng(seed))
    losses = []
    with progress.bar(len(ORIENTATIONS), "orientations", "orientation") as bar:
        for tried in ORIENTATIONS:
            shares = tried.of_patterns(fit), SHARES[0], tried.of_patterns(held), SHARES[1]
            turned = share_of(_turned(part, tried), *shares)
            losses.append(pattern_losses(solve(turned, settings, name=str(tried))[0], turned))
            bar.update(1)
    order = np.argsort([loss.mean() for loss in losses])
    least = losses[order[0]]
    return [Tried(ORIENTATIONS[k], float(losses[k].mean()), Gain.of(losses[k] - least).standard_error) for k in order]


def _part(scan: Measured, most: int) -> Scan:
    missing = scan.missing()
    if missing:
        raise InputError(f"{' and '.join(missing)} of {scan.name}", None, "what a reconstruction needs")
    where = scan.places
    assert where is not None
    return scan.scan(middle(where, most))


def _turned(scan: Scan, by: Orientation) -> Scan:
    """Return the scan with positions, mask and background turned; its counts are replaced by shares that are."""
    where = scan.positions if by.sign > 0 else np.array(scan.shape[::-1]) - scan.positions
    mask, dark = (None if i is None else by.of_patterns(i[None])[0] for i in (scan.mask, scan.background))
    return replace(scan, positions=where, mask=mask, background=dark)


@dataclass(frozen=True)
class Class:
    """Four orientations that are the same without a known probe.

    Attributes
    ----------
    members
        The four.
    curl
        Share of the deflections' derivatives that no gradient has; 0 for one that is sampled well.
    next_curl
        The same of the next best class.
    bend
        Spread of the deflections over what photon noise alone would give.
    """

    members: tuple[Orientation, ...]
    curl: float
    next_curl: float
    bend: float

    @property
    def clear(self) -> bool:
        """Whether the class stands out from the next one and the deflections from noise."""
        return self.curl < CLEAR * self.next_curl and self.bend > LEAST_BEND


def without_probe(scan: Measured) -> Class:
    """Find the class of a scan by the least curl of its deflections; no reconstruction, no probe.

    Parameters
    ----------
    scan
        With patterns and positions.

    Raises
    ------
    InputError
        Patterns or positions are missing.
    """
    where = scan.places
    if scan.patterns is None or where is None:
        raise InputError(f"patterns and positions of {scan.name}", None, "both", "give the files that hold them")
    bent, noise = _deflections(scan)
    classes: dict[bytes, list[Orientation]] = {}
    for o in ORIENTATIONS:
        classes.setdefault(max(o.matrix.tobytes(), (-o.matrix).tobytes()), []).append(o)
    told = [(_curl(bent @ members[0].matrix.T, where), members) for members in classes.values()]
    told.sort(key=lambda pair: pair[0])
    return Class(tuple(told[0][1]), told[0][0], told[1][0], float(bent.std() / noise))


def _deflections(scan: Measured) -> tuple[NDArray[np.float64], float]:
    """Return the centre of mass of each pattern, (positions, 2) x and y from their mean, and its photon noise, px."""
    found, noise = [], []
    for block in scan.blocks():
        counts = block if scan.mask is None else block * scan.mask
        total = np.maximum(counts.sum(axis=(1, 2)), 1)
        y, x = (np.arange(side) - side // 2 for side in counts.shape[1:])
        centre = np.stack([counts.sum(axis=1) @ x, counts.sum(axis=2) @ y], axis=1) / total[:, None]
        found.append(centre)
        second = (counts.sum(axis=1) @ x**2 + counts.sum(axis=2) @ y**2) / total - (centre**2).sum(axis=1)
        noise.append(second / 2 / total)  # variance of a mean of that many photons
    centres = np.concatenate(found)
    return centres - centres.mean(axis=0), float(np.sqrt(np.concatenate(noise).mean()))


def _curl(bent: NDArray[np.float64], where: NDArray[np.float64]) -> float:
    """Return the share of curl in curl and divergence of a field that is known at scattered places."""
    step = np.median(cKDTree(where).query(where, k=2)[0][:, 1]) / 2 or 1.0
    low, high = where.min(axis=0) + step, where.max(axis=0) - step
    x, y = np.meshgrid(*(np.arange(a, b, step) for a, b in zip(low, high, strict=True)))
    field = CloughTocher2DInterpolator(where, bent)(x, y)
    dy, dx = np.gradient(field, axis=(0, 1))
    curl, divergence = np.nansum((dx[..., 1] - dy[..., 0]) ** 2), np.nansum((dx[..., 0] + dy[..., 1]) ** 2)
    return float(curl / max(curl + divergence, np.finfo(float).tiny))

"""Find the orientation of a detector: eight transposes and flips of the patterns, times the sign of the positions.

With a known probe all sixteen orientations differ. A short reconstruction in each shows which one best explains counts
that it was not fitted to. Without a known probe some are equivalent: a pattern turned by 180 degrees is the pattern of
the conjugate exit wave, and negated positions are equivalent to that together with an inversion of everything. Four
classes remain. The mean deflection of the patterns distinguishes them: it is the gradient of the object's phase, and a
gradient has no curl.

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
"""Shares of the counts: those that are fitted, and those that choose the orientation."""
CLEAR = 0.75
"""Largest curl of the best class, as a fraction of the next one's, with which the choice is clear."""
LEAST_BEND = 3.0
"""Smallest spread of the deflections, in units of the spread from photon noise, with which the choice is clear."""


@dataclass(frozen=True)
class Orientation:
    """How to turn the patterns and positions of a file into the frame of the study.

    Attributes
    ----------
    name
        What is done to the patterns, in words.
    transpose, flip_columns, flip_rows
        Steps for each pattern, in this order.
    sign
        Factor of the positions, 1 or -1.
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
        """Return the matrix that acts on x and y of a pixel, counted from the centre of the pattern, (2, 2) int."""
        turned = np.array([[0, 1], [1, 0]]) if self.transpose else np.eye(2, dtype=np.int64)
        return np.diag([-1 if self.flip_columns else 1, -1 if self.flip_rows else 1]) @ turned

    @property
    def inverse(self) -> Orientation:
        """Return the orientation that turns patterns back; its sign is +1."""
        return next(o for o in ORIENTATIONS if np.array_equal(o.matrix @ self.matrix, np.eye(2)))

    def of_patterns(self, patterns: NDArray) -> NDArray:
        """Return turned patterns; the zero frequency stays at its pixel.

        Parameters
        ----------
        patterns : (some, N, N)

        Returns
        -------
        (some, N, N), dtype of `patterns`
        """
        turned = np.swapaxes(patterns, 1, 2) if self.transpose else patterns
        axes = tuple(axis for axis, flips in ((1, self.flip_rows), (2, self.flip_columns)) if flips)
        # The zero frequency lies at pixel N/2. A flip moves it by one pixel, and the roll moves it back.
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
"""All sixteen; the eight with positions as they are come first."""


def scrambled(scan: Measured, by: Orientation) -> Measured:
    """Return a scan as a file in another orientation would hold it, to test the search.

    Parameters
    ----------
    scan
        Scan with patterns and positions, in the frame of the study.
    by
        The orientation that restores the scan.

    Returns
    -------
    Measured
        Scan with counts, and positions in object pixels.
    """
    patterns, where = by.inverse.of_patterns(scan.counts(slice(None))), scan.places
    assert where is not None
    return replace(scan, patterns=patterns, amplitude=False, positions=by.sign * where)


@dataclass(frozen=True)
class Tried:
    """The result of a short reconstruction in one orientation.

    Attributes
    ----------
    orientation
        The orientation.
    loss
        Poisson loss of the counts that choose, nats per pattern; the smaller the better.
    standard_error
        Standard error of the difference between this loss and the best one, nats per pattern.
    """

    orientation: Orientation
    loss: float
    standard_error: float


def with_probe(scan: Measured, most: int = 150, iterations: int = 60, seed: int = 0) -> list[Tried]:
    """Reconstruct a part of a scan by MAP in all sixteen orientations, and return them with the best one first.

    Parameters
    ----------
    scan
        Scan with square patterns, positions and probe; one object pixel per detector pixel.
    most
        Largest number of positions that are used; they are those nearest to the middle.
    iterations
        Iterations of the solver.
    seed
        Seed of the split of the counts.

    Returns
    -------
    list of Tried
        Sorted by loss.

    Raises
    ------
    InputError
        Patterns, positions or probe are missing.
    """
    from studylib.arms.map import MapSettings, solve

    part = _part(scan, most)
    settings = MapSettings(tv=0.1, amplitude_tv=1.0, iterations=iterations, rounds=1)
    fit, held = split_counts(part.counts.astype(np.int64), SHARES, np.random.default_rng(seed))
    losses = []
    with progress.bar(len(ORIENTATIONS), "orientations", "orientation") as bar:
        for tried in ORIENTATIONS:
            # Turning the shares instead of the whole counts gives every orientation the same photons.
            shares = tried.of_patterns(fit), SHARES[0], tried.of_patterns(held), SHARES[1]
            turned = share_of(_turned(part, tried), *shares)
            losses.append(pattern_losses(solve(turned, settings, name=str(tried))[0], turned))
            bar.update(1)
    order = np.argsort([loss.mean() for loss in losses])
    # Errors of differences pattern by pattern, because all losses share the noise of the same counts.
    least = losses[order[0]]
    return [Tried(ORIENTATIONS[k], float(losses[k].mean()), Gain.of(losses[k] - least).standard_error) for k in order]


def _part(scan: Measured, most: int) -> Scan:
    """Return the scan at the `most` positions nearest to the middle, or raise InputError where it lacks something."""
    missing = scan.missing()
    if missing:
        raise InputError(f"{' and '.join(missing)} of {scan.name}", None, "what a reconstruction needs")
    where = scan.places
    assert where is not None
    return scan.scan(middle(where, most))


def _turned(scan: Scan, by: Orientation) -> Scan:
    """Return the scan with positions, mask and background turned.

    The counts stay as they are, since the caller replaces them with shares that are turned already.
    """
    # Negated positions, moved so that they stay inside the frame: its shape is (rows, columns), positions are (x, y).
    where = scan.positions if by.sign > 0 else np.array(scan.shape[::-1]) - scan.positions
    mask, dark = (None if i is None else by.of_patterns(i[None])[0] for i in (scan.mask, scan.background))
    return replace(scan, positions=where, mask=mask, background=dark)


@dataclass(frozen=True)
class Class:
    """Four orientations that are equivalent without a known probe.

    Attributes
    ----------
    members
        The four orientations.
    curl
        Curl of the deflections as a share of curl and divergence, 0..1; 0 for a well-sampled gradient.
    next_curl
        The curl of the next best class.
    bend
        Spread of the deflections divided by the spread that photon noise alone would give.
    """

    members: tuple[Orientation, ...]
    curl: float
    next_curl: float
    bend: float

    @property
    def clear(self) -> bool:
        """Whether the curl is clearly below that of the next class, and the deflections clearly above photon noise."""
        return self.curl < CLEAR * self.next_curl and self.bend > LEAST_BEND


def without_probe(scan: Measured) -> Class:
    """Find the class of a scan by the smallest curl of its deflections, without a reconstruction and without a probe.

    Parameters
    ----------
    scan
        Scan with patterns and positions.

    Returns
    -------
    Class
        The best class.

    Raises
    ------
    InputError
        Patterns or positions are missing.
    """
    where = scan.places
    if scan.patterns is None or where is None:
        raise InputError(f"patterns and positions of {scan.name}", None, "both", "give the files that hold them")
    bent, noise = _deflections(scan)
    # A matrix and its negative have the same key, and the sign of the positions is left out: four classes of four.
    classes: dict[bytes, list[Orientation]] = {}
    for o in ORIENTATIONS:
        classes.setdefault(max(o.matrix.tobytes(), (-o.matrix).tobytes()), []).append(o)
    told = [(_curl(bent @ members[0].matrix.T, where), members) for members in classes.values()]
    told.sort(key=lambda pair: pair[0])
    return Class(tuple(told[0][1]), told[0][0], told[1][0], float(bent.std() / noise))


def _deflections(scan: Measured) -> tuple[NDArray[np.float64], float]:
    """Return the deflections of the patterns, and the photon noise of one.

    Parameters
    ----------
    scan
        Scan with patterns.

    Returns
    -------
    deflections : (positions, 2) float64
        x and y of the centre of mass of each pattern, relative to the mean over all patterns, detector pixels.
    noise
        Root mean square of its standard deviation from photon noise along one axis, detector pixels.
    """
    found, noise = [], []
    for block in scan.blocks():
        counts = block if scan.mask is None else block * scan.mask
        total = np.maximum(counts.sum(axis=(1, 2)), 1)
        y, x = (np.arange(side) - side // 2 for side in counts.shape[1:])
        # Sums over rows give (pattern, column), sums over columns (pattern, row); stacked (pattern, x and y).
        centre = np.stack([counts.sum(axis=1) @ x, counts.sum(axis=2) @ y], axis=1) / total[:, None]
        found.append(centre)
        # Mean square distance of a photon from the centre, both axes together.
        second = (counts.sum(axis=1) @ x**2 + counts.sum(axis=2) @ y**2) / total - (centre**2).sum(axis=1)
        noise.append(second / 2 / total)  # variance of the mean of that many photons, along one axis
    centres = np.concatenate(found)
    return centres - centres.mean(axis=0), float(np.sqrt(np.concatenate(noise).mean()))


def _curl(bent: NDArray[np.float64], where: NDArray[np.float64]) -> float:
    """Return the curl of a vector field as a share of its curl and divergence, both squared and summed, 0..1.

    Parameters
    ----------
    bent : (positions, 2) float64
        x and y of the field.
    where : (positions, 2) float64
        x and y of the positions at which it is known.
    """
    # The field is interpolated on a regular grid of half the median distance to the nearest neighbour.
    step = np.median(cKDTree(where).query(where, k=2)[0][:, 1]) / 2 or 1.0
    low, high = where.min(axis=0) + step, where.max(axis=0) - step
    x, y = np.meshgrid(*(np.arange(a, b, step) for a, b in zip(low, high, strict=True)))
    field = CloughTocher2DInterpolator(where, bent)(x, y)  # (row, column, x and y); NaN outside the positions
    dy, dx = np.gradient(field, axis=(0, 1))
    curl, divergence = np.nansum((dx[..., 1] - dy[..., 0]) ** 2), np.nansum((dx[..., 0] + dy[..., 1]) ** 2)
    return float(curl / max(curl + divergence, np.finfo(float).tiny))

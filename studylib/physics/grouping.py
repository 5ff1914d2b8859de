"""Groups of neighbouring positions (OVERSAMPLING-001: K >= C, fixed during a run)."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from studylib.design import GroupingSettings
from studylib.errors import InputError
from studylib.physics.windows import nearest_pixels


def group(
    positions: NDArray[np.float64], settings: GroupingSettings, seed: int, n_groups: int | None = None
) -> NDArray[np.intp]:
    """Draw groups: each an anchor and C - 1 of its K nearest neighbours.

    Parameters
    ----------
    positions : (positions, 2) float64
    settings
        gridsize g (C = g^2) and K.
    seed
        Of the draw.
    n_groups
        One for each position when None; with more (K choose C), anchors recur with other companions.

    Returns
    -------
    (n_groups, C) indices into `positions`; column 0 is the anchor

    Raises
    ------
    InputError
        Fewer positions than C.

    Warns
    -----
    UserWarning
        Fewer positions than K + 1: the companions are drawn from all others.
    """
    n, c, k = len(positions), settings.group_size, settings.n_neighbours
    n_groups = n if n_groups is None else n_groups
    generator = np.random.default_rng(seed)
    anchors = np.concatenate(
        [generator.permutation(n) for _ in range(-(-n_groups // n))] if n_groups != n else [np.arange(n)]
    )[:n_groups]
    if c == 1:
        return anchors[:, None]
    if n < c:
        remedy = "use a denser view, a larger field of view, or groups of one position (gridsize 1)"
        raise InputError("positions", n, f"at least C = {c}, the size of a group", remedy)
    if n < k + 1:
        warnings.warn(f"{n} positions: companions are drawn from {n - 1} neighbours, not {k}", stacklevel=2)
        k = n - 1
    _, neighbours = cKDTree(positions).query(positions, k=k + 1)
    # A random order of the K neighbours; its first C - 1 are the companions.
    order = np.argsort(generator.random((n_groups, k)), axis=1)[:, : c - 1]
    companions = np.take_along_axis(neighbours[anchors, 1:], order, axis=1)
    return np.concatenate([anchors[:, None], companions], axis=1)


def offsets(positions: NDArray[np.float64], groups: NDArray[np.intp]) -> tuple[NDArray, NDArray]:
    """Return where the windows of each group lie, and the fractions of their positions.

    Parameters
    ----------
    positions : (positions, 2) float64
    groups : (n_groups, C) indices into `positions`

    Returns
    -------
    offsets : (n_groups, C, 2) float32
        x and y of each member's window relative to the anchor's, whole pixels.
    fractions : (n_groups, C, 2) float32
        x and y of what rounding to whole pixels left, pixels.
    """
    whole, fraction = nearest_pixels(positions)
    members = whole[groups]
    return (members - members[:, :1]).astype(np.float32), fraction[groups]


def hold_out(
    positions: NDArray[np.float64], fraction: float, group_size: int = 1, least: int = 8
) -> tuple[NDArray, NDArray]:
    """Return (kept, held out) indices: the last strip along x, so that its groups are like the others.

    Parameters
    ----------
    positions : (positions, 2) float64
    fraction
        Share that is held out.
    group_size
        Positions that are held out at least, where that is no more than half of them: one group.
    least
        The same, where that is no more than a quarter of them.
    """
    n = len(positions)
    held = min(max(round(fraction * n), min(least, n // 4), min(group_size, n // 2), 1), n - 1)
    order = np.argsort(positions[:, 0], kind="stable")
    return np.sort(order[: n - held]), np.sort(order[n - held :])


def middle(positions: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Return the indices of the positions that are nearest to the middle, at most so many, in their order."""
    distance = np.linalg.norm(positions - np.median(positions, axis=0), axis=1)
    return np.sort(np.argsort(distance)[:most])

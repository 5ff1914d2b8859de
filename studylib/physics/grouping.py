"""Groups of neighbouring scan positions (OVERSAMPLING-001: K >= C, fixed during a run)."""

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
    """Draw groups of positions: each is an anchor and C - 1 of its K nearest neighbours.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.
    settings
        gridsize g, with C = g^2 positions per group, and K.
    seed
        Seed of the draw.
    n_groups
        Number of groups; one per position when None. With more groups than positions (K choose C), anchors recur and
        their companions are drawn anew.

    Returns
    -------
    (n_groups, C) int
        Indices into `positions`; column 0 is the anchor.

    Raises
    ------
    InputError
        There are fewer than C positions.

    Warns
    -----
    UserWarning
        There are fewer than K + 1 positions: the companions are drawn from all other positions.
    """
    n, c, k = len(positions), settings.group_size, settings.n_neighbours
    n_groups = n if n_groups is None else n_groups
    generator = np.random.default_rng(seed)
    # Every position is an anchor once before any is one again.
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
    # (position, neighbour), nearest first; column 0 is normally the position itself.
    _, neighbours = cKDTree(positions).query(positions, k=k + 1)
    # (group, companion): the first C - 1 of the K neighbours in random order, so no companion is drawn twice.
    order = np.argsort(generator.random((n_groups, k)), axis=1)[:, : c - 1]
    companions = np.take_along_axis(neighbours[anchors, 1:], order, axis=1)
    return np.concatenate([anchors[:, None], companions], axis=1)


def offsets(positions: NDArray[np.float64], groups: NDArray[np.intp]) -> tuple[NDArray, NDArray]:
    """Return where the windows of each group lie, and the fractions of a pixel of their positions.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.
    groups : (n_groups, C) int
        Indices into `positions`; column 0 is the anchor.

    Returns
    -------
    offsets : (n_groups, C, 2) float32
        x and y of each member's window relative to the anchor's window, whole pixels.
    fractions : (n_groups, C, 2) float32
        x and y of the remainder after rounding to whole pixels, -0.5 to 0.5 pixels.
    """
    whole, fraction = nearest_pixels(positions)
    # (group, member, x or y)
    members = whole[groups]
    return (members - members[:, :1]).astype(np.float32), fraction[groups]


def hold_out(
    positions: NDArray[np.float64], fraction: float, group_size: int = 1, least: int = 8
) -> tuple[NDArray, NDArray]:
    """Return the indices of the positions to train on and of those that are held out.

    The held-out positions are the last strip along x. They are neighbours of each other, so their groups are like the
    other groups.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.
    fraction
        Share of the positions to hold out.
    group_size
        C: at least so many positions are held out, so that they form a group; this minimum never exceeds half of all
        positions.
    least
        At least so many positions are held out; this minimum never exceeds a quarter of all positions.

    Returns
    -------
    kept, held : (kept,) and (held,) int
        Indices into `positions`, rising.
    """
    n = len(positions)
    # At least one position is held out, and at least one is kept.
    held = min(max(round(fraction * n), min(least, n // 4), min(group_size, n // 2), 1), n - 1)
    order = np.argsort(positions[:, 0], kind="stable")
    return np.sort(order[: n - held]), np.sort(order[n - held :])


def middle(positions: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Return the indices of the positions nearest to the middle of the scan, in their order.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels. The middle is their median.
    most
        Largest number of positions to return.

    Returns
    -------
    (at most most,) int
        Indices into `positions`, rising.
    """
    distance = np.linalg.norm(positions - np.median(positions, axis=0), axis=1)
    return np.sort(np.argsort(distance)[:most])

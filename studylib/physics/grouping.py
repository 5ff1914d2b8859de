"""Groups of neighbouring positions (OVERSAMPLING-001: K >= C, fixed during a run)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from studylib.design import GroupingSettings
from studylib.errors import InputError


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
        Fewer positions than K + 1.
    """
    n, c, k = len(positions), settings.group_size, settings.n_neighbours
    n_groups = n if n_groups is None else n_groups
    generator = np.random.default_rng(seed)
    anchors = np.concatenate(
        [generator.permutation(n) for _ in range(-(-n_groups // n))] if n_groups != n else [np.arange(n)]
    )[:n_groups]
    if c == 1:
        return anchors[:, None]
    if n < k + 1:
        raise InputError("positions", n, f"at least K + 1 = {k + 1}", "use a denser view")
    _, neighbours = cKDTree(positions).query(positions, k=k + 1)
    # A random order of the K neighbours; its first C - 1 are the companions.
    order = np.argsort(generator.random((n_groups, k)), axis=1)[:, : c - 1]
    companions = np.take_along_axis(neighbours[anchors, 1:], order, axis=1)
    return np.concatenate([anchors[:, None], companions], axis=1)


def offsets(positions: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return each member's position relative to its group's mean.

    Returns
    -------
    (n_groups, C, 2) float32, x and y in pixels
    """
    members = positions[groups]
    return (members - members.mean(axis=1, keepdims=True)).astype(np.float32)


def hold_out(positions: NDArray[np.float64], fraction: float) -> tuple[NDArray, NDArray]:
    """Return (kept, held out) indices: the last strip along x, so that its groups are like the others."""
    cut = np.quantile(positions[:, 0], 1 - fraction)
    return np.flatnonzero(positions[:, 0] <= cut), np.flatnonzero(positions[:, 0] > cut)

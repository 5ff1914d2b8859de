"""Overlap views: the scan is thinned to a spacing, and the resulting overlap is measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from studylib.errors import InputError


def target_spacing(overlap: float, diameter: float) -> float:
    """Return the mean spacing of a view: o = 1 - step/D, so step = (1 - o) D.

    Parameters
    ----------
    overlap
        o, the overlap of the view, as a fraction.
    diameter
        D, the diameter of the probe, pixels.

    Returns
    -------
    Mean spacing, pixels

    Examples
    --------
    >>> target_spacing(overlap=0.75, diameter=40)
    10.0
    """
    return (1 - overlap) * diameter


def mean_spacing(positions: NDArray[np.float64]) -> float:
    """Return the mean spacing of positions, sqrt(area / n), where the area is their box with a rim of half a spacing.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y, object pixels; at least two positions.

    Returns
    -------
    Mean spacing, pixels

    Examples
    --------
    >>> x, y = np.meshgrid(np.arange(5) * 4.0, np.arange(6) * 4.0)
    >>> float(round(mean_spacing(np.stack([x.ravel(), y.ravel()], axis=1)), 6))
    4.0
    """
    width, height = np.ptp(positions, axis=0)
    n = len(positions)
    # n s^2 = (width + s)(height + s), solved for s.
    b = width + height
    return float((b + np.sqrt(b**2 + 4 * (n - 1) * width * height)) / (2 * (n - 1)))


def _greedy(positions: NDArray[np.float64], order: NDArray[np.intp], distance: float) -> NDArray[np.intp]:
    """Keep each position, in the given order, unless a kept one is nearer than the distance.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y, object pixels.
    order : (positions,) int
        Order in which the positions are considered.
    distance
        Least distance between kept positions, pixels.

    Returns
    -------
    (kept,) int
        Indices into `positions`, rising.
    """
    tree = cKDTree(positions)
    free = np.ones(len(positions), dtype=bool)
    kept = []
    for index in order:
        if free[index]:
            kept.append(index)
            # The kept position itself is in the ball too, so it is never considered again.
            free[tree.query_ball_point(positions[index], distance, p=2.0)] = False
    return np.sort(np.array(kept, dtype=np.intp))


def thin(positions: NDArray[np.float64], spacing: float, seed: int) -> NDArray[np.intp]:
    """Choose positions, in seeded order, so that their mean spacing is the wanted one.

    Random sequential selection with a *minimum* distance equal to the spacing would leave a mean spacing that is about
    a quarter wider (it jams at 70 % of the density). So bisection finds the minimum distance at which the *mean*
    spacing, sqrt(area per position), is the wanted one.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y, object pixels.
    spacing
        Wanted mean spacing of the kept positions, pixels.
    seed
        Seed of the order in which positions are considered.

    Returns
    -------
    (kept,) int
        Indices into `positions`, rising.

    Raises
    ------
    InputError
        The mean spacing of the scan itself is more than 2 % above the wanted one.
    """
    order = np.random.default_rng(seed).permutation(len(positions))
    have = mean_spacing(positions)
    if have > spacing * 1.02:
        raise InputError(
            "scan step",
            round(have, 2),
            f"a scan at least as fine as the view's spacing of {spacing:.2f} px",
            "give a smaller scan_step, or a view with less overlap",
        )
    low, high = 0.0, spacing
    best = np.arange(len(positions))
    for _ in range(24):
        distance = (low + high) / 2
        kept = _greedy(positions, order, distance)
        # The best choice so far is remembered, since the last one need not be the best.
        reached = mean_spacing(kept_positions := positions[kept])
        if abs(reached - spacing) < abs(mean_spacing(positions[best]) - spacing):
            best = kept
        low, high = (distance, high) if reached < spacing else (low, distance)
        # So few positions have no meaningful mean spacing: search below this distance.
        if len(kept_positions) < 4:
            high = distance
    return best


def disc_overlap(distance: NDArray[np.float64], diameter: float) -> NDArray[np.float64]:
    """Return f(d), the fraction of a disc of diameter D that an equal disc at distance d covers.

    f(d) = [2 R^2 acos(d/2R) - (d/2) sqrt(4R^2 - d^2)] / (pi R^2) for d < D, else 0, with R = D/2.
    f(0) = 1, f(R) = 0.391, f(D) = 0.

    Parameters
    ----------
    distance : (...) float64
        d, pixels.
    diameter
        D, pixels.

    Returns
    -------
    (...) float64, from 0 to 1

    Examples
    --------
    >>> disc_overlap(np.array([0.0, 10.0, 20.0]), diameter=20).round(3)
    array([1.   , 0.391, 0.   ])
    """
    r = diameter / 2
    d = np.clip(distance, 0, diameter)
    lens = 2 * r**2 * np.arccos(d / diameter) - d / 2 * np.sqrt(diameter**2 - d**2)
    return lens / (np.pi * r**2)


def members_overlap(
    positions: NDArray[np.float64], groups: NDArray[np.intp], diameter: float, n_neighbours: int
) -> float | None:
    """Return M1, the mean f between the members of a group; None for groups of one position.

    Each member is compared with its K nearest fellow members. The mean is taken over members and groups.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y, object pixels.
    groups : (n_groups, C) int
        Indices into `positions`.
    diameter
        D, the diameter of the probe, pixels.
    n_neighbours
        K; C - 1 is used when it is smaller.

    Returns
    -------
    M1, from 0 to 1, or None
    """
    n_members = groups.shape[1]
    if n_members == 1:
        return None
    points = positions[groups]
    # (group, member, fellow member)
    distance = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    # The smallest distance is that of each member to itself.
    nearest = np.sort(distance, axis=-1)[:, :, 1 : min(n_neighbours, n_members - 1) + 1]
    return float(disc_overlap(nearest, diameter).mean())


def images_overlap(positions: NDArray[np.float64], diameter: float, n_neighbours: int = 6) -> float:
    """Return M2, the mean f of each distinct position to its K nearest other positions.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y, object pixels.
    diameter
        D, the diameter of the probe, pixels.
    n_neighbours
        K.

    Returns
    -------
    M2, from 0 to 1
    """
    distinct = np.unique(positions, axis=0)
    k = min(n_neighbours, len(distinct) - 1)
    # (position, neighbour); column 0 is the position itself and is left out below.
    distance, _ = cKDTree(distinct).query(distinct, k=k + 1)
    return float(disc_overlap(distance[:, 1:], diameter).mean())


def groups_overlap(positions: NDArray[np.float64], groups: NDArray[np.intp], diameter: float) -> float:
    """Return M3: the mean over groups of the mean f to every other group whose centre is nearer than D.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y, object pixels.
    groups : (n_groups, C) int
        Indices into `positions`.
    diameter
        D, the diameter of the probe, pixels.

    Returns
    -------
    M3, from 0 to 1
    """
    centres = positions[groups].mean(axis=1)
    tree = cKDTree(centres)
    total = 0.0
    # Block by block, so that the lists of neighbours do not grow with the scan.
    for start in range(0, len(centres), 4096):
        block = centres[start : start + 4096]
        near = tree.query_ball_point(block, diameter, return_sorted=False)
        size = np.array([len(n) for n in near])
        # One entry per pair of neighbouring groups: the index of the first one within the block.
        owner = np.repeat(np.arange(len(block)), size)
        distance = np.linalg.norm(block[owner] - centres[np.concatenate(near)], axis=1)
        # Each list holds the group itself (f = 1), and may hold groups at exactly D (f = 0).
        f = np.bincount(owner, disc_overlap(distance, diameter), len(block)) - 1
        others = np.bincount(owner, distance < diameter, len(block)) - 1
        total += float(np.sum(f / np.maximum(others, 1)))
    return total / len(centres)


def acceptance_bound(positions: NDArray[np.float64], spacing: float) -> float:
    """Return the largest fraction of the positions that any thinning to a hard minimum distance could keep.

    Hexagonal packing bounds the density at 2 / (sqrt(3) spacing^2).

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y before thinning, object pixels.
    spacing
        Minimum distance, pixels.

    Returns
    -------
    Fraction, at most 1
    """
    width, height = np.ptp(positions, axis=0)
    area = (width + spacing) * (height + spacing)
    return float(min(1.0, area * 2 / (np.sqrt(3) * spacing**2) / len(positions)))


def report(
    positions: NDArray[np.float64],
    n_before: int,
    groups: NDArray[np.intp],
    diameter: float,
    spacing: float,
    bound: float,
    n_neighbours: int,
) -> dict[str, float | int | None]:
    """Return every overlap number of one view and split; they are reported only, and no stage depends on their values.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y of the positions of the view, object pixels.
    n_before
        Number of positions before thinning.
    groups : (n_groups, C) int
        Indices into `positions`.
    diameter
        D, the diameter of the probe, pixels.
    spacing
        Mean spacing that was aimed at, pixels.
    bound
        Result of `acceptance_bound` for the positions before thinning.
    n_neighbours
        K of M1.

    Returns
    -------
    Numbers by name; lengths in pixels, and None where a number does not exist
    """
    return {
        "probe_diameter_px": diameter,
        "target_spacing_px": spacing,
        "mean_spacing_px": mean_spacing(positions),
        "overlap": 1 - mean_spacing(positions) / diameter,
        "n_positions": len(positions),
        "n_positions_before": n_before,
        "acceptance": len(positions) / n_before,
        "acceptance_bound": bound,
        "n_groups": len(groups),
        "group_size": groups.shape[1],
        "m1_group_members": members_overlap(positions, groups, diameter, n_neighbours),
        "m2_images": images_overlap(positions, diameter),
        "m3_groups": groups_overlap(positions, groups, diameter),
    }

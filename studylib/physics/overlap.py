"""Overlap views: thinning of the scan to a spacing, and the overlap that results."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from studylib.errors import InputError


def target_spacing(overlap: float, diameter: float) -> float:
    """Return the mean spacing, pixels, of a view: o = 1 - step/D, so step = (1 - o) D."""
    return (1 - overlap) * diameter


def mean_spacing(positions: NDArray[np.float64]) -> float:
    """Return sqrt(area/n) of the box that the positions fill, half a spacing added at its rim."""
    width, height = np.ptp(positions, axis=0)
    n = len(positions)
    # n s^2 = (width + s)(height + s), solved for s.
    b = width + height
    return float((b + np.sqrt(b**2 + 4 * (n - 1) * width * height)) / (2 * (n - 1)))


def _greedy(positions: NDArray[np.float64], order: NDArray[np.intp], distance: float) -> NDArray[np.intp]:
    """Keep each position, in order, that has no kept one nearer than the distance."""
    tree = cKDTree(positions)
    free = np.ones(len(positions), dtype=bool)
    kept = []
    for index in order:
        if free[index]:
            kept.append(index)
            free[tree.query_ball_point(positions[index], distance, p=2.0)] = False
    return np.sort(np.array(kept, dtype=np.intp))


def thin(positions: NDArray[np.float64], spacing: float, seed: int) -> NDArray[np.intp]:
    """Choose positions, in seeded order, so that their mean spacing is the one asked for.

    Random sequential selection with a *minimum* distance equal to the spacing would leave a mean
    spacing about a quarter wider (it jams at 70 % of the density); so the minimum distance is found
    by bisection such that the *mean* spacing, sqrt(area per position), is met.

    Parameters
    ----------
    positions : (positions, 2) float64
    spacing
        Mean distance between kept neighbours, pixels.
    seed
        Of the order in which positions are considered.

    Returns
    -------
    (kept,) indices into `positions`, rising

    Raises
    ------
    InputError
        The scan itself is wider than the spacing.
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
        reached = mean_spacing(kept_positions := positions[kept])
        if abs(reached - spacing) < abs(mean_spacing(positions[best]) - spacing):
            best = kept
        low, high = (distance, high) if reached < spacing else (low, distance)
        if len(kept_positions) < 4:
            high = distance
    return best


def disc_overlap(distance: NDArray[np.float64], diameter: float) -> NDArray[np.float64]:
    """Return f(d), the share of a disc of diameter D covered by its twin at distance d.

    f(d) = [2 R^2 acos(d/2R) - (d/2) sqrt(4R^2 - d^2)] / (pi R^2) for d < D, else 0, R = D/2.
    f(0) = 1, f(R) = 0.391, f(D) = 0.
    """
    r = diameter / 2
    d = np.clip(distance, 0, diameter)
    lens = 2 * r**2 * np.arccos(d / diameter) - d / 2 * np.sqrt(diameter**2 - d**2)
    return lens / (np.pi * r**2)


def members_overlap(
    positions: NDArray[np.float64], groups: NDArray[np.intp], diameter: float, n_neighbours: int
) -> float | None:
    """M1: mean f between the members of a group; null for groups of one.

    Each member is held against its K nearest fellow members, the mean taken over members and groups.
    """
    n_members = groups.shape[1]
    if n_members == 1:
        return None
    points = positions[groups]
    distance = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    nearest = np.sort(distance, axis=-1)[:, :, 1 : min(n_neighbours, n_members - 1) + 1]
    return float(disc_overlap(nearest, diameter).mean())


def images_overlap(positions: NDArray[np.float64], diameter: float, n_neighbours: int = 6) -> float:
    """M2: mean f of each distinct position to its K = 6 nearest others."""
    distinct = np.unique(positions, axis=0)
    k = min(n_neighbours, len(distinct) - 1)
    distance, _ = cKDTree(distinct).query(distinct, k=k + 1)
    return float(disc_overlap(distance[:, 1:], diameter).mean())


def groups_overlap(positions: NDArray[np.float64], groups: NDArray[np.intp], diameter: float) -> float:
    """M3: mean over groups of the mean f to every other group whose centre is nearer than D."""
    centres = positions[groups].mean(axis=1)
    tree = cKDTree(centres)
    total = 0.0
    for start in range(0, len(centres), 4096):
        block = centres[start : start + 4096]
        near = tree.query_ball_point(block, diameter, return_sorted=False)
        size = np.array([len(n) for n in near])
        owner = np.repeat(np.arange(len(block)), size)
        distance = np.linalg.norm(block[owner] - centres[np.concatenate(near)], axis=1)
        # Each list holds the group itself (f = 1), and may hold some at exactly D (f = 0).
        f = np.bincount(owner, disc_overlap(distance, diameter), len(block)) - 1
        others = np.bincount(owner, distance < diameter, len(block)) - 1
        total += float(np.sum(f / np.maximum(others, 1)))
    return total / len(centres)


def acceptance_bound(positions: NDArray[np.float64], spacing: float) -> float:
    """Return the largest share of the positions that any thinning to a hard spacing could keep.

    Hexagonal packing bounds the density at 2 / (sqrt(3) spacing^2).
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
    """Return every overlap number of one view and split; nothing is gated on them."""
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

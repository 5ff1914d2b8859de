"""Object patches are averaged on one absolute canvas, weighted by the illumination."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studylib.physics.forward import probes_at
from studylib.physics.windows import Layout, nearest_pixels, window_corners

ROUNDS, STEADY = 300, 1e-4
"""Largest number of rounds of phase synchronisation. It ends when no patch turns by more than STEADY, rad, in a
round."""
FAINT = 1e-6
"""Fraction of the largest summed illumination below which a pixel counts as not measured."""


@dataclass(frozen=True)
class Box:
    """The scanned box in object pixels: rows top to bottom and columns left to right, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Return the box as an index for (rows, columns)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def scanned_box(positions: NDArray[np.float64]) -> Box:
    """Return the box spanned by the scan positions; every pixel inside it was illuminated.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.

    Returns
    -------
    Box
    """
    # Of the ends, index 0 is x (columns) and index 1 is y (rows).
    low, high = np.ceil(positions.min(axis=0)), np.floor(positions.max(axis=0))
    return Box(int(low[1]), int(high[1]) + 1, int(low[0]), int(high[0]) + 1)


def illumination(
    probe: NDArray[np.complex64], positions: NDArray[np.float64], shape: tuple[int, int], batch: int = 1024
) -> NDArray[np.float64]:
    """Return n(r) = sum_j |P(r - x_j)|^2, the photons that would reach each pixel of a transparent object.

    Parameters
    ----------
    probe : (N, N) complex64
        Probe, sqrt(photons).
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.
    shape
        Rows and columns of the object.
    batch
        Number of positions that are computed together.

    Returns
    -------
    (rows, columns) float64
        Photons per object pixel.

    Raises
    ------
    InputError
        A window leaves the object.
    """
    total = np.zeros(shape)
    for start in range(0, len(positions), batch):
        some = positions[start : start + batch]
        layout = Layout(window_corners(some, len(probe), shape), len(probe), shape)
        total += layout.add(np.abs(probes_at(probe, some)) ** 2)
    return total


@dataclass(frozen=True)
class Tile:
    """The sum of the patches of neighbouring positions, on a canvas just large enough for them.

    Attributes
    ----------
    where
        The tile in the object's frame, as an index for (rows, columns).
    weighted : (rows, columns) complex64
        Sum of |P|^2 times patch.
    total : (rows, columns) float32
        Sum of |P|^2.
    """

    where: tuple[slice, slice]
    weighted: NDArray[np.complex64]
    total: NDArray[np.float32]


def stitch(
    blocks: Iterable[tuple[NDArray[np.complex64], NDArray[np.float64]]],
    probe: NDArray[np.complex64],
    shape: tuple[int, int],
    agree: bool = False,
) -> NDArray[np.complex64]:
    """Average the patches where they overlap.

    The weight of a patch is |P|^2, where P is the probe shifted by the fraction of a pixel of the patch's position.

    Parameters
    ----------
    blocks
        Patches (positions, N, N) complex64 and their positions (positions, 2) float64, x and y in object pixels. Only
        one block is in memory at a time.
    probe : (N, N) complex64
        Probe, in any unit.
    shape
        Rows and columns of the object; the canvas is its frame.
    agree
        Whether phase synchronisation (`synchronise`) first gives the patches of each block, then the blocks, one common
        phase.

    Returns
    -------
    (rows, columns) complex64
        The object; zero where no light fell.
    """
    tiles = [_tile(patches, positions, probe, agree) for patches, positions in blocks]
    factors = np.ones(len(tiles), dtype=np.complex64)
    if agree and len(tiles) > 1:

        def again(turns: NDArray) -> NDArray:
            """Return the inner product of each tile with the canvas of all turned tiles."""
            canvas = _merge(tiles, turns.astype(np.complex64), shape)
            return np.array([np.vdot(t.weighted, canvas[t.where]) for t in tiles])

        factors = _agreeing(again, len(tiles))
    return _merge(tiles, factors, shape)


def _merge(tiles: list[Tile], factors: NDArray[np.complex64], shape: tuple[int, int]) -> NDArray[np.complex64]:
    """Return the weighted mean of all tiles, (rows, columns), each tile multiplied by its factor."""
    weighted, total = np.zeros(shape, np.complex64), np.zeros(shape, np.float32)
    for tile, factor in zip(tiles, factors, strict=True):
        weighted[tile.where] += factor * tile.weighted
        total[tile.where] += tile.total
    # A pixel that only the far tails of the probe reach holds no usable estimate.
    return np.divide(weighted, total, out=np.zeros_like(weighted), where=total > FAINT * total.max())


def _tile(
    patches: NDArray[np.complex64], positions: NDArray[np.float64], probe: NDArray[np.complex64], agree: bool
) -> Tile:
    """Return the tile of one block of patches, after phase synchronisation where `agree` asks for it."""
    n = probe.shape[0]
    # (position, row or column): the first row and column of each window
    corners = nearest_pixels(positions)[0][:, ::-1] - n // 2
    low = corners.min(axis=0)
    rows, columns = corners.max(axis=0) + n - low
    layout = Layout(corners - low, n, (rows, columns))
    weight = np.abs(probes_at(probe, positions)) ** 2
    weighted = patches * weight
    factors = synchronise(weighted, weight, layout) if agree else None
    where = (slice(low[0], low[0] + rows), slice(low[1], low[1] + columns))
    return Tile(where, layout.add(weighted, factors), layout.add(weight))


def synchronise(weighted: NDArray[np.complex64], weight: NDArray[np.float32], layout: Layout) -> NDArray[np.complex64]:
    """Return the unit factors with which the patches agree best where they overlap.

    A diffraction pattern does not change when its exit wave is multiplied by a unit factor. So each patch has an
    arbitrary phase, and only the overlap relates these phases. In each round the patches are stitched, and each patch
    takes the phase of the canvas in its window. No truth is needed.

    Parameters
    ----------
    weighted : (positions, N, N) complex64
        Patches of the object, each multiplied by its weight.
    weight : (positions, N, N) float32
        |P|^2 of each position, in the frame of its window.
    layout
        Where the windows lie on the canvas.

    Returns
    -------
    (positions,) complex64
        Factors of modulus 1.

    References
    ----------
    Marchesini, Tu, Wu, Alternating projection, ptychographic imaging and phase synchronization,
    Appl. Comput. Harmon. Anal. 41, 815 (2016), sec. 4.
    """
    total = layout.add(weight)
    lit = total > FAINT * total.max()

    def again(factors: NDArray) -> NDArray:
        """Return the inner product of each patch with the canvas of all turned patches, in its window."""
        canvas = layout.add(weighted, factors.astype(np.complex64))
        return layout.products(weighted, np.divide(canvas, total, out=np.zeros_like(canvas), where=lit))

    return _agreeing(again, len(weighted))


def _agreeing(again: Callable[[NDArray], NDArray], n: int) -> NDArray[np.complex64]:
    """Return the unit factors of n parts with which they agree best.

    In each round every part takes the phase of what all parts give together. A plain round carries a phase no further
    than to the neighbours. So each round starts from an extrapolation of the last step, with a momentum that grows
    (Nesterov); a tenth of the rounds is then enough. Every factor keeps the modulus 1. The leading eigenvector would be
    found sooner, but it is concentrated where the patches are least noisy and does not determine the others.

    Parameters
    ----------
    again
        Function from a factor for each part to the inner product of each part with what all parts give together.
    n
        Number of parts.

    Returns
    -------
    (n,) complex64
        Factors of modulus 1.

    References
    ----------
    Boumal, Nonconvex phase synchronization, SIAM J. Optim. 26, 2355 (2016) (the rounds without acceleration).
    Nesterov, A method for solving the convex programming problem with convergence rate O(1/k^2), Soviet Math. Dokl. 27,
    372 (1983).
    """
    factors = before = np.ones(n, dtype=np.complex64)
    for k in range(ROUNDS):
        ahead = factors + k / (k + 3) * (factors - before)
        # The modulus of the product is discarded: only the phase of a part is free.
        before, factors = factors, _unit(again(ahead)).astype(np.complex64)
        if np.abs(factors - before).max() < STEADY:
            break
    return factors


def _unit(number: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
    """Return a number or array divided by its modulus; 0 stays 0."""
    return number / np.maximum(np.abs(number), np.finfo(np.float32).tiny)


def neighbouring_blocks(positions: NDArray[np.float64], size: int) -> list[NDArray[np.intp]]:
    """Divide positions into compact blocks of at most `size`: strips along y, each cut along x.

    Parameters
    ----------
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.
    size
        Largest number of positions in a block.

    Returns
    -------
    List of (at most size,) int
        Indices of each block, rising. Every position is in exactly one block.
    """
    # About as many strips as blocks in a strip.
    n_strips = int(np.ceil(np.sqrt(len(positions) / size)))
    strips = np.array_split(np.argsort(positions[:, 1], kind="stable"), n_strips)
    return [
        np.sort(block)
        for strip in strips
        for block in np.array_split(strip[np.argsort(positions[strip, 0], kind="stable")], -(-len(strip) // size))
    ]

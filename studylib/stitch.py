"""Object patches onto one absolute canvas, weighted by the illumination."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studylib.windows import Layout, place

ITERATIONS = 30
"""Of turning patches to agree; `make ablation` has a variant with ten."""
FAINT = 1e-6
"""Share of the largest summed illumination below which a pixel was not measured."""


@dataclass(frozen=True)
class Box:
    """The scanned box in object pixels: rows top..bottom and columns left..right, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Return the box as an index for (rows, columns)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def scanned_box(positions: NDArray[np.float64]) -> Box:
    """Return the box spanned by the scan positions, inside which every pixel was illuminated."""
    low, high = np.ceil(positions.min(axis=0)), np.floor(positions.max(axis=0))
    return Box(int(low[1]), int(high[1]) + 1, int(low[0]), int(high[0]) + 1)


@dataclass(frozen=True)
class Tile:
    """The patches of neighbouring positions on a canvas of their own.

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
    """Average the patches where they overlap, |P|^2 as weight.

    Parameters
    ----------
    blocks
        Patches (positions, N, N) complex64 and their positions (positions, 2) float64, x and y in object
        pixels; one block is in memory at a time.
    probe : (N, N) complex64
    shape
        Rows and columns of the object: the canvas is its frame.
    agree
        Turn the patches of each block, then the blocks, to one phase first (`synchronise`).

    Returns
    -------
    (rows, columns) complex64; zero where no light fell
    """
    tiles = [_tile(patches, positions, probe, agree) for patches, positions in blocks]
    factors = np.ones(len(tiles), dtype=np.complex64)
    for _ in range(ITERATIONS if agree and len(tiles) > 1 else 0):
        canvas = _merge(tiles, factors, shape)
        factors = np.array([_unit(np.vdot(t.weighted, canvas[t.where])) for t in tiles], dtype=np.complex64)
    return _merge(tiles, factors, shape)


def _merge(tiles: list[Tile], factors: NDArray[np.complex64], shape: tuple[int, int]) -> NDArray[np.complex64]:
    weighted, total = np.zeros(shape, np.complex64), np.zeros(shape, np.float32)
    for tile, factor in zip(tiles, factors, strict=True):
        weighted[tile.where] += factor * tile.weighted
        total[tile.where] += tile.total
    # A pixel that only the far tails of the probe reach is not an estimate of anything.
    return np.divide(weighted, total, out=np.zeros_like(weighted), where=total > FAINT * total.max())


def _tile(
    patches: NDArray[np.complex64], positions: NDArray[np.float64], probe: NDArray[np.complex64], agree: bool
) -> Tile:
    n = probe.shape[0]
    low = np.floor(positions.min(axis=0) - n / 2).astype(int)
    columns, rows = np.ceil(positions.max(axis=0) + n / 2).astype(int) - low
    local = positions - low
    weight = (np.abs(probe) ** 2).astype(np.float32)
    factors = synchronise(patches, probe, local, (rows, columns)) if agree else np.ones(len(patches), np.complex64)
    return Tile(
        (slice(low[1], low[1] + rows), slice(low[0], low[0] + columns)),
        place(patches * weight * factors[:, None, None], local, (rows, columns)),
        place(np.broadcast_to(weight, patches.shape), local, (rows, columns)),
    )


def synchronise(
    patches: NDArray[np.complex64],
    probe: NDArray[np.complex64],
    positions: NDArray[np.float64],
    shape: tuple[int, int],
    iterations: int = ITERATIONS,
) -> NDArray[np.complex64]:
    """Return the unit factors that make the patches agree best where they overlap.

    A diffraction pattern does not change when its exit wave is multiplied by a unit factor, so each
    patch has a phase of its own, and only overlap relates them. Alternately the patches are stitched
    and each is turned to the phase of the canvas in its window, |P|^2 as weight. No truth is needed.

    Parameters
    ----------
    patches : (positions, N, N) complex64
    probe : (N, N) complex64
    positions : (positions, 2) float64, x and y in pixels of the canvas
    shape
        Rows and columns of the canvas.
    iterations
        Of stitching and turning.

    Returns
    -------
    (positions,) complex64, modulus 1

    References
    ----------
    Marchesini, Tu, Wu, Alternating projection, ptychographic imaging and phase synchronization,
    Appl. Comput. Harmon. Anal. 41, 815 (2016), sec. 4.
    """
    weight = (np.abs(probe) ** 2).astype(np.float32)
    layout = Layout(positions, len(probe), shape)
    total = layout.add(layout.spread(np.broadcast_to(weight, patches.shape)))
    lit, spread = total > FAINT * total.max(), layout.spread(patches * weight)
    factors = np.ones(len(patches), dtype=np.complex64)
    for _ in range(iterations):
        canvas = layout.add(spread, factors)
        canvas = np.divide(canvas, total, out=np.zeros_like(canvas), where=lit)
        factors = _unit(layout.products(spread, canvas)).astype(np.complex64)
    return factors


def _unit(number):
    return number / np.maximum(np.abs(number), np.finfo(np.float32).tiny)


def neighbouring_blocks(positions: NDArray[np.float64], size: int) -> list[NDArray[np.intp]]:
    """Divide positions into compact blocks of at most about `size`: strips along y, cut along x.

    Returns
    -------
    Indices of each block; together all positions, each once
    """
    n_strips = int(np.ceil(np.sqrt(len(positions) / size)))
    strips = np.array_split(np.argsort(positions[:, 1], kind="stable"), n_strips)
    return [
        np.sort(block)
        for strip in strips
        for block in np.array_split(strip[np.argsort(positions[strip, 0], kind="stable")], -(-len(strip) // size))
    ]

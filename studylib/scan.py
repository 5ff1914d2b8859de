"""A scan: what an experiment has. No truth, no file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib import machine
from studylib.physics.overlap import mean_spacing
from studylib.physics.simulate import to_counts


@dataclass(frozen=True)
class Scan:
    """A measured data set.

    Attributes
    ----------
    diffraction : (positions, N, N) float32
        sqrt(counts) / s, centred. Of a file it is a memory map: a large scan is read as it is used.
    probe : (N, N) complex64
        sqrt(photons).
    positions : (positions, 2) float64
        x and y of each window's centre, object pixels.
    scale
        s.
    shape
        Rows and columns of the frame that the positions refer to.
    metadata
        Dose, split, view, seeds and where the data come from.
    held : (positions, N, N) unsigned integers
        Counts of the same positions that no arm is fitted to; None where there are none.
    held_share
        Mean of `held` as a share of the mean of `counts`.
    mask : (N, N) bool
        True where a pixel of the detector can be trusted; None: everywhere. What the others hold never matters.
    background : (N, N) float32
        Counts of each pattern that are expected without the probe: air scatter, dark counts; None: none.
    """

    diffraction: NDArray[np.float32]
    probe: NDArray[np.complex64]
    positions: NDArray[np.float64]
    scale: float
    shape: tuple[int, int]
    metadata: dict[str, Any]
    held: NDArray[np.unsignedinteger] | None = None
    held_share: float = 0.0
    mask: NDArray[np.bool_] | None = None
    background: NDArray[np.float32] | None = None

    @property
    def counts(self) -> NDArray[np.float32]:
        """Return the photons counted, (positions, N, N) float32, whole numbers; 0 at pixels not to be trusted."""
        counts = to_counts(self.diffraction, self.scale).astype(np.float32)
        return counts if self.mask is None else counts * self.mask

    @property
    def flat(self) -> NDArray[np.float64]:
        """Return the pattern that an object of 1 gives at a whole position, (N, N) float64, all pixels."""
        return np.abs(np.fft.fftshift(np.fft.fft2(self.probe.astype(np.complex128), norm="ortho"))) ** 2

    def light(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the background leaves of counts (..., N, N), at least 0, float32.

        For those who have no place for a background in their model; likelihoods add it to what they expect.
        """
        return counts if self.background is None else np.maximum(counts - self.background, 0)

    def amplitudes(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the roots of the light in counts (..., N, N), without gaps: the input of a network.

        Pixels that are not to be trusted have what the best constant object gives.
        """
        roots = np.sqrt(self.light(counts))
        return roots if self.mask is None else np.where(self.mask, roots, self._constant_amplitudes)

    @property
    def dark(self) -> NDArray[np.float32] | None:
        """Return the background at the pixels that are to be trusted and 0 elsewhere, (N, N); None where none is."""
        return self.background if self.background is None or self.mask is None else self.background * self.mask

    @cached_property
    def _constant_amplitudes(self) -> NDArray[np.float32]:
        """What the best constant object gives, (N, N); every batch asks for it."""
        return (self.best_constant() * np.sqrt(self.flat)).astype(np.float32)

    @property
    def n_pixels(self) -> int:
        """Return N."""
        return self.probe.shape[0]

    @property
    def photons(self) -> float:
        """Return the mean photons per pattern implied by s, the inverse of `simulate.intensity_scale`."""
        return (self.scale * self.n_pixels / 2) ** 2

    @property
    def fluence(self) -> float:
        """Return the fluence: photons per object pixel of all patterns together, photons / spacing^2."""
        return self.photons / mean_spacing(self.positions) ** 2

    def best_constant(self, most: int = 8192) -> float:
        """Return the modulus of the constant object that expects as many photons as were counted.

        Parameters
        ----------
        most
            Patterns that it is taken from, evenly spread, so that memory does not grow with the scan.
        """
        n = len(self.positions)
        some = self if n <= most else self.take(np.linspace(0, n - 1, most).astype(int))
        lit = len(some.positions) * np.sum(self.flat if self.mask is None else self.flat * self.mask)
        counted = sum(float(counts.sum(dtype=np.float64)) for _, counts in some.blocks())
        light = counted - (0.0 if self.dark is None else len(some.positions) * float(self.dark.sum()))
        return float(np.sqrt(max(light, 1e-9 * lit) / lit))

    def blocks(self, size: int = 256) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield some positions and their `counts` at a time, so that memory does not grow with the scan."""
        for start in range(0, len(self.positions), size):
            part = slice(start, start + size)
            yield part, self.take(part).counts

    def dimmed(self, share: float) -> Scan:
        """Return the scan with the probe and the background of a share of its counts: the object keeps its scale."""
        dark = None if self.background is None else (share * self.background).astype(np.float32)
        return replace(self, probe=(self.probe * np.sqrt(share)).astype(np.complex64), background=dark)

    def take(self, indices: NDArray[np.intp] | slice) -> Scan:
        """Return the scan at some of its positions."""
        held = None if self.held is None else machine.taken(self.held, indices, "counts held back")
        diffraction = machine.taken(self.diffraction, indices, "patterns")
        return replace(self, diffraction=diffraction, positions=self.positions[indices], held=held)

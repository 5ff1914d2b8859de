"""A scan: what an experiment knows, as arrays. It holds no truth and knows no file."""

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
    """Diffraction patterns of one exposure, with everything that an arm knows about them.

    Attributes
    ----------
    diffraction : (positions, N, N) float32
        Amplitudes sqrt(counts) / s, zero frequency in the centre. They are a memory map where the scan comes from a
        file, so that a large scan is read as it is used.
    probe : (N, N) complex64
        Probe in sqrt(photons).
    positions : (positions, 2) float64
        x (column) and y (row) of the centre of each window, object pixels.
    scale
        s, by which amplitudes are multiplied to give square roots of counts.
    shape
        Rows and columns of the object frame that the positions refer to.
    metadata
        Dose, split, view, seeds and the source of the data.
    held : (positions, N, N) unsigned integers
        Counts at the same positions to which no arm is fitted; None where there are none.
    held_share
        Mean of `held` divided by the mean of `counts`.
    mask : (N, N) bool
        True where a pixel of the detector can be trusted; None means everywhere. The values of other pixels never
        matter.
    background : (N, N) float32
        Counts per pattern expected without the probe (air scatter, dark counts); None means no background.
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
        """Return the counted photons, (positions, N, N) float32, whole numbers; 0 at pixels that are masked out."""
        counts = to_counts(self.diffraction, self.scale).astype(np.float32)
        return counts if self.mask is None else counts * self.mask

    @property
    def flat(self) -> NDArray[np.float64]:
        """Return the pattern that an object of 1 gives at a whole-pixel position, (N, N) float64, photons, unmasked."""
        return np.abs(np.fft.fftshift(np.fft.fft2(self.probe.astype(np.complex128), norm="ortho"))) ** 2

    def light(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return counts less the background, at least 0.

        pty-chi and the inputs of the networks need it, because they have no place for a background. Likelihoods add the
        background to the expected counts instead.

        Parameters
        ----------
        counts : (..., N, N) float32
            Photons.

        Returns
        -------
        (..., N, N) float32, photons
        """
        return counts if self.background is None else np.maximum(counts - self.background, 0)

    def amplitudes(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the square roots of counts less the background, the input of a network.

        Pixels that are masked out get the value that the best constant object gives, since a network needs every pixel.

        Parameters
        ----------
        counts : (..., N, N) float32
            Photons.

        Returns
        -------
        (..., N, N) float32, sqrt(photons)
        """
        roots = np.sqrt(self.light(counts))
        return roots if self.mask is None else np.where(self.mask, roots, self._constant_amplitudes)

    @property
    def dark(self) -> NDArray[np.float32] | None:
        """Return the background with 0 at masked pixels, (N, N) float32, counts per pattern; None if there is none."""
        return self.background if self.background is None or self.mask is None else self.background * self.mask

    @cached_property
    def _constant_amplitudes(self) -> NDArray[np.float32]:
        """The amplitudes of the best constant object, (N, N) float32; cached, since every batch needs them."""
        return (self.best_constant() * np.sqrt(self.flat)).astype(np.float32)

    @property
    def n_pixels(self) -> int:
        """Return N, the side of a pattern and of the probe."""
        return self.probe.shape[0]

    @property
    def photons(self) -> float:
        """Return the mean photons per pattern implied by s, the inverse of `simulate.intensity_scale`."""
        return (self.scale * self.n_pixels / 2) ** 2

    @property
    def fluence(self) -> float:
        """Return the fluence in photons per object pixel, all patterns together: photons per pattern / spacing^2."""
        return self.photons / mean_spacing(self.positions) ** 2

    def best_constant(self, most: int = 8192) -> float:
        """Return the modulus of the constant object that expects as many photons as were counted.

        Parameters
        ----------
        most
            Largest number of patterns that are used, evenly spread, so that memory does not grow with the scan.

        Returns
        -------
        float
        """
        n = len(self.positions)
        some = self if n <= most else self.take(np.linspace(0, n - 1, most).astype(int))
        # Photons expected of an object of 1, and photons counted less the background; the modulus is the root of the
        # ratio. Masked pixels are left out of both.
        lit = len(some.positions) * np.sum(self.flat if self.mask is None else self.flat * self.mask)
        counted = sum(float(counts.sum(dtype=np.float64)) for _, counts in some.blocks())
        light = counted - (0.0 if self.dark is None else len(some.positions) * float(self.dark.sum()))
        return float(np.sqrt(max(light, 1e-9 * lit) / lit))  # never 0, also where the background exceeds the counts

    def blocks(self, size: int = 256) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield slices of the positions with their counts, so that memory does not grow with the scan.

        Parameters
        ----------
        size
            Positions at a time.

        Yields
        ------
        part
            Slice of the positions.
        counts : (at most size, N, N) float32
            Photons, 0 at masked pixels.
        """
        for start in range(0, len(self.positions), size):
            part = slice(start, start + size)
            yield part, self.take(part).counts

    def dimmed(self, share: float) -> Scan:
        """Return the scan with probe and background as for a share of its counts, so that the object keeps its scale.

        Parameters
        ----------
        share
            The share; the probe is multiplied by its square root, the background by the share itself. The patterns stay
            as they are.

        Returns
        -------
        Scan
        """
        dark = None if self.background is None else (share * self.background).astype(np.float32)
        return replace(self, probe=(self.probe * np.sqrt(share)).astype(np.complex64), background=dark)

    def take(self, indices: NDArray[np.intp] | slice) -> Scan:
        """Return the scan at some of its positions.

        Parameters
        ----------
        indices : (kept,) int, or a slice
            Positions to keep, in the order of the new scan.

        Returns
        -------
        Scan
        """
        held = None if self.held is None else machine.taken(self.held, indices, "counts held back")
        # Many large patterns go to a file without a name, not into the memory.
        diffraction = machine.taken(self.diffraction, indices, "patterns")
        return replace(self, diffraction=diffraction, positions=self.positions[indices], held=held)

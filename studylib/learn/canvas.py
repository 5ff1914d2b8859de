"""The physics of `Unrolled`, on torch and differentiable: windows of a canvas, their expected counts and the gradient.

References
----------
Thibault, Guizar-Sicairos, Maximum-likelihood refinement for coherent diffractive imaging, New J. Phys. 14, 063004
(2012), eqs. 3 and 8 (the likelihood of the counts and its gradient).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from studylib.design import BACKGROUND
from studylib.physics.forward import probes_at
from studylib.physics.windows import window_corners
from studylib.scan import Scan


def device() -> torch.device:
    """Return the device that computes: the GPU where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def frequencies_first(patterns: NDArray) -> torch.Tensor:
    """Return patterns with the zero frequency first, as a tensor on the device that computes.

    Parameters
    ----------
    patterns : (..., N, N)
        Patterns or a mask, zero frequency in the centre.

    Returns
    -------
    (..., N, N) float32
    """
    shifted = np.fft.ifftshift(np.asarray(patterns, np.float32), axes=(-2, -1))
    return torch.from_numpy(np.ascontiguousarray(shifted)).to(device())


class Canvas:
    """Some positions of a scan, with the forward model, on a piece of the canvas.

    The object is in units of the best constant object, which is 1.

    Parameters
    ----------
    scan
        Probe, positions, mask and background.
    gauge
        Modulus of the best constant object.
    share
        Fraction of the scan's counts that is fitted. The expected counts and the stabilising background are multiplied
        by it.
    corner
        First row and column of the piece on the whole canvas.
    shape
        Rows and columns of the piece; every window lies within it.

    Attributes
    ----------
    light : (rows, columns) float32
        Photons that an object of 1 sends from each pixel, for the share that is fitted.
    """

    def __init__(self, scan: Scan, gauge: float, share: float, corner: tuple[int, int], shape: tuple[int, int]) -> None:
        n, self.shape, self.share = scan.n_pixels, shape, share
        # The scan itself may hold only a share of the counts of a whole one.
        self.stabiliser = BACKGROUND * float(scan.metadata.get("share", 1.0))
        first = torch.from_numpy(window_corners(scan.positions, n, scan.shape) - np.asarray(corner))
        inside = torch.arange(n)
        # Flat index on the piece of every pixel of every window: (position, row, column), then one axis.
        rows = first[:, 0, None, None] + inside[:, None]
        self.places = (rows * shape[1] + first[:, 1, None, None] + inside).reshape(-1).to(device())
        # Gauge and share are part of the probe, so that an object of 1 gives the photons of the best constant object.
        probes = torch.from_numpy(probes_at(scan.probe, scan.positions)) * float(gauge * share**0.5)
        self.probes = probes.to(device())
        self.light = self._sum(_square(self.probes).reshape(-1, 1))[..., 0]
        self.mask = None if scan.mask is None else frequencies_first(scan.mask)
        self.dark = None if scan.dark is None else share * frequencies_first(scan.dark)

    def _sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return values (positions * N * N, c) of all windows, added up on the canvas, (rows, columns, c)."""
        empty = torch.zeros(self.shape[0] * self.shape[1], values.shape[1], device=values.device)
        return empty.index_add(0, self.places, values).reshape(*self.shape, -1)

    def _waves(self, image: torch.Tensor) -> torch.Tensor:
        """Return the waves at the detector, (positions, N, N) complex64, zero frequency first, 0 at masked pixels."""
        # (pixel of the canvas, real or imaginary)
        pixels = torch.view_as_real(image.contiguous()).reshape(-1, 2)
        windows = torch.view_as_complex(pixels.index_select(0, self.places)).reshape(self.probes.shape)
        waves = torch.fft.fft2(self.probes * windows, norm="ortho")
        return waves if self.mask is None else waves * self.mask

    def _counted(self, waves: torch.Tensor) -> torch.Tensor:
        """Return the expected counts of waves at the detector, with the measured background where there is one."""
        return _square(waves) if self.dark is None else _square(waves) + self.dark

    def expected(self, image: torch.Tensor) -> torch.Tensor:
        """Return the expected counts of an image, of the share that is fitted.

        Parameters
        ----------
        image : (rows, columns) complex64
            Object on the piece, in units of the best constant object.

        Returns
        -------
        (positions, N, N) float32
            Photons, zero frequency first.
        """
        return self._counted(self._waves(image))

    def losses(self, image: torch.Tensor, counts: torch.Tensor, share: float) -> torch.Tensor:
        """Return the loss of other counts of the same scan, those of another share.

        The loss is lambda - (n + b) log(lambda + b) with the stabilising background b, as in every likelihood of the
        study.

        Parameters
        ----------
        image : (rows, columns) complex64
            Object on the piece, in units of the best constant object.
        counts : (positions, N, N) float32
            The other counts, zero frequency first.
        share
            Their fraction of the scan's counts.

        Returns
        -------
        (positions, N, N) float32
            Loss of each pixel, nats.
        """
        # The expected counts of `self.share` become those of the other share.
        expected, stabiliser = share / self.share * self.expected(image), share * self.stabiliser
        return expected - (counts + stabiliser) * torch.log(expected + stabiliser)

    def gradient(self, image: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Return the Wirtinger gradient dL/dO* of the loss of the canvas's own counts, summed over the windows.

        Divided by the light it is the step that a flat and evenly lit object needs.

        Parameters
        ----------
        image : (rows, columns) complex64
            Object on the piece, in units of the best constant object.
        counts : (positions, N, N) float32
            Counts of the share that is fitted, zero frequency first.

        Returns
        -------
        (rows, columns) complex64
        """
        waves, stabiliser = self._waves(image), self.share * self.stabiliser
        # Derivative of the loss with respect to lambda, (position, row, column).
        wrong = 1 - (counts + stabiliser) / (self._counted(waves) + stabiliser)
        back = self.probes.conj() * torch.fft.ifft2(waves * wrong, norm="ortho")
        return torch.view_as_complex(self._sum(torch.view_as_real(back).reshape(-1, 2)))


def _square(values: torch.Tensor) -> torch.Tensor:
    """Return the squared modulus of complex values."""
    return values.real.square() + values.imag.square()

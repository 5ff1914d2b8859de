"""The physics of `Unrolled`, on torch and differentiable: windows of a canvas, their expected counts, the gradient.

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
    """Return where the arithmetic is done."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def frequencies_first(patterns: NDArray) -> torch.Tensor:
    """Return patterns (..., N, N), zero frequency in the centre, as float32 with zero frequency first."""
    shifted = np.fft.ifftshift(np.asarray(patterns, np.float32), axes=(-2, -1))
    return torch.from_numpy(np.ascontiguousarray(shifted)).to(device())


class Canvas:
    """Some positions of a scan on a piece of its canvas.

    The object is in units of the best constant object, which is 1.

    Parameters
    ----------
    scan
        Probe, positions, mask and background.
    gauge
        Modulus of the best constant object.
    share
        Of the scan's counts that are fitted: what is expected, and the stabilising background, are so much weaker.
    corner
        First row and column of the piece.
    shape
        Its rows and columns; every window lies within.
    """

    def __init__(self, scan: Scan, gauge: float, share: float, corner: tuple[int, int], shape: tuple[int, int]) -> None:
        n, self.shape, self.share = scan.n_pixels, shape, share
        self.stabiliser = BACKGROUND * float(scan.metadata.get("share", 1.0))
        first = torch.from_numpy(window_corners(scan.positions, n, scan.shape) - np.asarray(corner))
        inside = torch.arange(n)
        rows = first[:, 0, None, None] + inside[:, None]
        self.places = (rows * shape[1] + first[:, 1, None, None] + inside).reshape(-1).to(device())
        probes = torch.from_numpy(probes_at(scan.probe, scan.positions)) * float(gauge * share**0.5)
        self.probes = probes.to(device())
        self.light = self._sum(_square(self.probes).reshape(-1, 1))[..., 0]
        self.mask = None if scan.mask is None else frequencies_first(scan.mask)
        self.dark = None if scan.dark is None else share * frequencies_first(scan.dark)

    def _sum(self, values: torch.Tensor) -> torch.Tensor:
        """Add values (positions * N * N, c) of all windows up on the canvas, (rows, columns, c)."""
        empty = torch.zeros(self.shape[0] * self.shape[1], values.shape[1], device=values.device)
        return empty.index_add(0, self.places, values).reshape(*self.shape, -1)

    def _waves(self, image: torch.Tensor) -> torch.Tensor:
        pixels = torch.view_as_real(image.contiguous()).reshape(-1, 2)
        windows = torch.view_as_complex(pixels.index_select(0, self.places)).reshape(self.probes.shape)
        waves = torch.fft.fft2(self.probes * windows, norm="ortho")
        return waves if self.mask is None else waves * self.mask

    def _counted(self, waves: torch.Tensor) -> torch.Tensor:
        return _square(waves) if self.dark is None else _square(waves) + self.dark

    def expected(self, image: torch.Tensor) -> torch.Tensor:
        """Return the expected counts of an image (rows, columns), (positions, N, N), zero frequency first."""
        return self._counted(self._waves(image))

    def losses(self, image: torch.Tensor, counts: torch.Tensor, share: float) -> torch.Tensor:
        """Return the loss of other counts, of another share of the scan's, (positions, N, N).

        lambda - (n + b) log(lambda + b), with the stabilising background b, as every likelihood of the study has it.
        """
        expected, stabiliser = share / self.share * self.expected(image), share * self.stabiliser
        return expected - (counts + stabiliser) * torch.log(expected + stabiliser)

    def gradient(self, image: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Return the Wirtinger gradient dL/dO* of the loss of the canvas's own counts, summed over windows.

        Divided by the light it is the step that a flat and evenly lit object needs.

        Parameters
        ----------
        image : (rows, columns) complex64
        counts : (positions, N, N) float32
            Zero frequency first.

        Returns
        -------
        (rows, columns) complex64
        """
        waves, stabiliser = self._waves(image), self.share * self.stabiliser
        wrong = 1 - (counts + stabiliser) / (self._counted(waves) + stabiliser)
        back = self.probes.conj() * torch.fft.ifft2(waves * wrong, norm="ortho")
        return torch.view_as_complex(self._sum(torch.view_as_real(back).reshape(-1, 2)))


def _square(values: torch.Tensor) -> torch.Tensor:
    return values.real.square() + values.imag.square()

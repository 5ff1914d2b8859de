"""Slow waves of an object, fitted beside its pixels.

A solver that steps pixel by pixel is slow where a whole field has to turn its phase together: each pixel's own gradient
is small beside the noise of its neighbours. So the object is multiplied by exp(u), u the sum of log amplitudes and
phases on coarse grids, each with a gradient that adds up what its pixels say.

References
----------
Briggs, Henson, McCormick, A multigrid tutorial, SIAM (2000), ch. 3 (slow waves are fast on coarse grids).
"""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate


class CoarseFields:
    """Fields of log amplitude and phase on coarse grids, by which an object is multiplied and which are 0 again then.

    Parameters
    ----------
    shape
        Rows and columns of the object.
    spacings
        Of the grids, pixels.
    device
        Where the object is.
    """

    def __init__(self, shape: tuple[int, int], spacings: tuple[int, ...], device: torch.device) -> None:
        self.shape = shape
        sizes = [(-(-shape[0] // s), -(-shape[1] // s)) for s in spacings]
        self.grids = [torch.zeros(1, 2, *size, device=device) for size in sizes]

    def _on_pixels(self, grid: torch.Tensor) -> torch.Tensor:
        return interpolate(grid, size=self.shape, mode="bilinear", align_corners=False)[0]

    def set_gradients(self, image: torch.Tensor, gradient: torch.Tensor) -> None:
        """Give each grid its gradient, of an object and the gradient there.

        Parameters
        ----------
        image, gradient : (rows, columns, 2) float32
            Real and imaginary part of the object; derivative of a loss with respect to them.
        """
        # O exp(a + i p): dL = Re(conj(g) O) da - Im(conj(g) O) dp, the real and imaginary part of conj(O) g.
        product = torch.view_as_complex(image).conj() * torch.view_as_complex(gradient)
        field = torch.stack([product.real, product.imag])
        for grid in self.grids:
            zero = torch.zeros_like(grid, requires_grad=True)
            (grid.grad,) = torch.autograd.grad(self._on_pixels(zero), zero, field)

    def multiply(self, image: torch.Tensor) -> None:
        """Multiply an object by exp of the fields, in place, and set them to 0."""
        amplitude, phase = torch.stack([self._on_pixels(grid) for grid in self.grids]).sum(dim=0)
        turned = torch.view_as_complex(image) * torch.exp(torch.complex(amplitude, phase))
        image.copy_(torch.view_as_real(turned))
        for grid in self.grids:
            grid.zero_()

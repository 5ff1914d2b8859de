"""Slow waves of an object's phase, fitted beside its pixels.

A solver that steps pixel by pixel is slow where a whole field has to turn its phase together: each pixel's own gradient
is small beside the noise of its neighbours. So the object is multiplied by exp(i p), p the sum of phases on coarse
grids, each with a gradient that adds up what its pixels say. The modulus has no such grids: where next to no light
falls, their steps, which Adam makes as large as anywhere, would let it grow.

References
----------
Briggs, Henson, McCormick, A multigrid tutorial, SIAM (2000), ch. 3 (slow waves are fast on coarse grids).
"""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate


class CoarsePhases:
    """Phases on coarse grids, by which an object is turned and which are 0 again then.

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
        self.grids = [torch.zeros(1, 1, -(-shape[0] // s), -(-shape[1] // s), device=device) for s in spacings]

    def _on_pixels(self, grid: torch.Tensor) -> torch.Tensor:
        return interpolate(grid, size=self.shape, mode="bilinear", align_corners=False)[0, 0]

    def set_gradients(self, image: torch.Tensor, gradient: torch.Tensor) -> None:
        """Give each grid its gradient, of an object and the gradient there.

        Parameters
        ----------
        image, gradient : (rows, columns, 2) float32
            Real and imaginary part of the object; derivative of a loss with respect to them.
        """
        # O exp(i p): dL = Re(conj(g) i O) dp = Im(conj(O) g) dp.
        by_phase = image[..., 0] * gradient[..., 1] - image[..., 1] * gradient[..., 0]
        for grid in self.grids:
            zero = torch.zeros_like(grid, requires_grad=True)
            (grid.grad,) = torch.autograd.grad(self._on_pixels(zero), zero, by_phase)

    def turn(self, image: torch.Tensor) -> None:
        """Multiply an object by exp(i p), in place, and set the phases to 0."""
        phase = torch.stack([self._on_pixels(grid) for grid in self.grids]).sum(dim=0)
        turned = torch.view_as_complex(image) * torch.exp(1j * phase)
        image.copy_(torch.view_as_real(turned))
        for grid in self.grids:
            grid.zero_()

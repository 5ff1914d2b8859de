"""Slow variations of an object's phase, fitted on coarse grids beside the pixels.

A solver that steps pixel by pixel is slow where the phase of a whole area has to change together: the gradient of each
pixel is small compared with the noise of its neighbours. Therefore the object is also multiplied by exp(i p), where p
is a sum of phases on coarse grids. The gradient of a grid value adds up the gradients of its pixels. The modulus has no
such grids: where almost no light falls, Adam makes their steps as large as anywhere else, and the modulus would grow
there.

References
----------
Briggs, Henson, McCormick, A multigrid tutorial, SIAM (2000), ch. 3 (slow waves are fast on coarse grids).
"""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate


class CoarsePhases:
    """Phases on coarse grids. Each step multiplies them into the object and resets them to 0.

    Parameters
    ----------
    shape
        Rows and columns of the object.
    spacings
        Spacing of each grid, pixels.
    device
        Device of the object.
    """

    def __init__(self, shape: tuple[int, int], spacings: tuple[int, ...], device: torch.device) -> None:
        self.shape = shape
        # (1, 1, grid row, grid column), the layout that `interpolate` expects
        self.grids = [torch.zeros(1, 1, -(-shape[0] // s), -(-shape[1] // s), device=device) for s in spacings]

    def _on_pixels(self, grid: torch.Tensor) -> torch.Tensor:
        """Interpolate a grid, (1, 1, grid rows, grid columns), bilinearly to (rows, columns) of the object."""
        return interpolate(grid, size=self.shape, mode="bilinear", align_corners=False)[0, 0]

    def set_gradients(self, image: torch.Tensor, gradient: torch.Tensor) -> None:
        """Set the gradient of each grid from the gradient of the object.

        Parameters
        ----------
        image, gradient : (rows, columns, 2) float32
            Real and imaginary part of the object, and the derivative of a loss with respect to them.
        """
        # With O exp(i p): dL = Re(conj(g) i O) dp = Im(conj(O) g) dp.
        by_phase = image[..., 0] * gradient[..., 1] - image[..., 1] * gradient[..., 0]  # (row, column)
        for grid in self.grids:
            zero = torch.zeros_like(grid, requires_grad=True)
            # Interpolation is linear in the grid: its vector-Jacobian product adds up the gradients of the pixels.
            (grid.grad,) = torch.autograd.grad(self._on_pixels(zero), zero, by_phase)

    def turn(self, image: torch.Tensor) -> None:
        """Multiply an object by exp(i p), in place, and reset the phases to 0.

        Parameters
        ----------
        image : (rows, columns, 2) float32
            Real and imaginary part of the object.
        """
        phase = torch.stack([self._on_pixels(grid) for grid in self.grids]).sum(dim=0)
        turned = torch.view_as_complex(image) * torch.exp(1j * phase)
        image.copy_(torch.view_as_real(turned))
        for grid in self.grids:
            grid.zero_()

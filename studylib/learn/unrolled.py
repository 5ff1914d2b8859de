"""A learned reconstruction on the canvas: physics steps with a small network between them, trained on split counts.

It starts from another arm's image O of the whole scan. In each of its few steps a U-Net sees the image, the gradient of
the likelihood there, and how much light fell on each pixel; its output is added to the image. Fluence and probe enter
by the physics alone, so that the weights belong to no scan.

No truth is needed. Counts n are split into b ~ Binomial(n, q) and a = n - b, which are independent of each other. Image
and gradient are made from a, and the loss is the likelihood of b. A network that copies the noise of a explains b no
better.

References
----------
Gregor, LeCun, Learning fast approximations of sparse coding, ICML (2010).
Monga, Li, Eldar, Algorithm unrolling, IEEE Signal Processing Magazine 38, 18 (2021).
Ronneberger, Fischer, Brox, U-Net, MICCAI (2015).
Leiner et al., Data fission: splitting a single data point, JASA 120, 135 (2025), sec. 2.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

STRIDE = 4
"""The sides of an image are padded to a multiple of this: the network halves them twice."""
MARGIN = 32
"""Pixels, a multiple of `STRIDE`: pixels farther apart than this do not influence each other within one U-Net."""
TILE = 512
"""Side of the tiles in which a large canvas is processed, pixels, a multiple of `STRIDE`."""
CHANNELS = 6
"""Number of maps that a U-Net sees."""
FAINT = 0.02
"""Light, as a fraction of that on the brightest pixel, below which a pixel is not corrected: there the gradient is
noise."""
TURNS = 8
"""Number of turns and mirror images of a square."""
Physics = Callable[[torch.Tensor], torch.Tensor]
"""Function from an object, (rows, columns) complex64, to the gradient of the likelihood there."""


def _block(inside: int, *widths: int) -> nn.Sequential:
    """Return 3 x 3 convolutions of the given widths, one after the other, each followed by a ReLU."""
    layers = list[nn.Module]()
    for width in widths:
        layers += [nn.Conv2d(inside, width, 3, padding=1), nn.ReLU()]
        inside = width
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """A U-Net of three scales, from six channels to two; untrained, its output is zero.

    Parameters
    ----------
    width
        Feature maps at the first scale; the other scales have twice as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fine, self.middle = _block(CHANNELS, width, width), _block(width, 2 * width, 2 * width)
        self.coarse = _block(2 * width, 2 * width, 2 * width)
        self.to_middle, self.to_fine = _block(4 * width, 2 * width, width), _block(2 * width, width, width)
        self.head = nn.Conv2d(width, 2, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]
        self.shrink = nn.AvgPool2d(2)
        self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the correction of the image.

        Parameters
        ----------
        features : (batch, 6, rows, columns) float32
            Sides are multiples of four.

        Returns
        -------
        (batch, 2, rows, columns) float32
            Real and imaginary part.
        """
        # (batch, channel, row, column), at the full, half and a quarter of the side
        fine = self.fine(features)
        middle = self.middle(self.shrink(fine))
        coarse = self.coarse(self.shrink(middle))
        middle = self.to_middle(torch.cat([self.enlarge(coarse), middle], dim=1))
        return self.head(self.to_fine(torch.cat([self.enlarge(middle), fine], dim=1)))


class UnrolledNetwork(nn.Module):
    """A few steps O <- O - eta d + s U(O, d, s), where d is the gradient over the light and s = 1 / sqrt(1 + light).

    The step lengths eta are 0 at first, and so is every U: an untrained network returns the image that it is given.

    Parameters
    ----------
    steps
        Number of steps; each has weights of its own.
    width
        Feature maps at the first scale of each U-Net.
    low_precision
        Whether convolutions are computed in bfloat16.

    Attributes
    ----------
    falls_back
        Whether the network explained held-out counts worse than its starting image, so that it must not be used.
    """

    def __init__(self, steps: int, width: int, low_precision: bool = False) -> None:
        super().__init__()
        self.learned = nn.ModuleList([UNet(width) for _ in range(steps)])
        self.lengths = nn.Parameter(torch.zeros(steps))
        self.width, self.low_precision, self.falls_back = width, low_precision, False
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: torch.Tensor, gradient: Physics, light: torch.Tensor, turn: int = 0) -> torch.Tensor:
        """Return the image after all steps.

        Parameters
        ----------
        image : (rows, columns) complex64
            Starting image in units of the best constant object, with its mean phase removed.
        gradient
            Function from an image to the gradient of the likelihood of the counts.
        light : (rows, columns) float32
            Photons per pixel.
        turn
            Which of the eight turns and mirror images the network sees (`turned`).

        Returns
        -------
        (rows, columns) complex64
        """
        faint = FAINT * light.max()
        seen, noise = (light > faint).float(), 1 / torch.sqrt(1 + light)
        for length, learned in zip(self.lengths, self.learned, strict=True):
            # `faint` keeps the quotient finite in the dark.
            down = gradient(image) / (light + faint)
            # (6, row, column); the best constant object, 1, has 0 in the first two.
            features = torch.stack([image.real - 1, image.imag, down.real, down.imag, noise, seen])
            # (real or imaginary, row, column); where photons are many, corrections are small.
            change = seen * noise * turned(self._learned(learned, turned(features, turn)), turn, back=True)
            image = image - length * seen * down + torch.complex(change[0], change[1])
        return image

    def count_params(self) -> int:
        """Return the number of weights."""
        return sum(weights.numel() for weights in self.parameters())

    def _learned(self, network: nn.Module, features: torch.Tensor) -> torch.Tensor:
        """Return the output of one U-Net, (2, rows, columns), from (6, rows, columns); a large canvas goes in tiles."""
        rows, columns = features.shape[-2:]
        padded = nn.functional.pad(features[None], (0, -columns % STRIDE, 0, -rows % STRIDE), mode="replicate")
        # The pieces in training and most canvases are small enough for one pass.
        if self.training or max(rows, columns) <= TILE + 2 * MARGIN:
            return self._convolved(network, padded)[0, :, :rows, :columns]
        out = torch.empty(2, rows, columns, device=features.device)
        for row in range(0, rows, TILE):
            for column in range(0, columns, TILE):
                # The tile with a margin around it, which is cut off again: the result is that of the whole canvas.
                top, left = max(row - MARGIN, 0), max(column - MARGIN, 0)
                tile = padded[..., top : row + TILE + MARGIN, left : column + TILE + MARGIN]
                made = self._convolved(network, tile)[0, :, row - top :, column - left :]
                part = out[:, row : row + TILE, column : column + TILE]
                part[:] = made[:, : part.shape[1], : part.shape[2]]
        return out

    def _convolved(self, network: nn.Module, features: torch.Tensor) -> torch.Tensor:
        """Return a U-Net's output in float32, computed in bfloat16 where that is wanted."""
        features = features.contiguous(memory_format=torch.channels_last)
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self.low_precision):
            return network(features).float()


def turned(image: torch.Tensor, turn: int, back: bool = False) -> torch.Tensor:
    """Return one of the eight turns and mirror images of an image, or undo it.

    Parameters
    ----------
    image : (..., rows, columns)
        Image or feature maps.
    turn
        0 to `TURNS` - 1, a sum of: 1 reverses the columns, 2 reverses the rows, 4 exchanges rows and columns after
        that.
    back
        Whether to undo it.

    Returns
    -------
    (..., rows, columns), or (..., columns, rows) where rows and columns are exchanged
    """
    if back and turn & 4:
        image = image.transpose(-1, -2)
    flipped = [axis for bit, axis in ((1, -1), (2, -2)) if turn & bit]
    image = image.flip(flipped) if flipped else image
    return image.transpose(-1, -2) if turn & 4 and not back else image

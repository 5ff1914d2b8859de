"""A learned reconstruction on the canvas: physics steps with a small network between them, trained on split counts.

It starts from another arm's image O of the whole scan. Each of its few steps adds to it what a U-Net makes of the
image, of the likelihood's gradient there and of how much light fell on each pixel. Fluence and probe enter by the
physics alone, so that the weights belong to no scan.

Truth is not needed. Counts n are split into a ~ n - b and b ~ Binomial(n, q), independent of each other: image and
gradient are made of a, and the loss is the likelihood of b. Whoever copies the noise of a explains b no better.

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
"""What the sides of an image are made a multiple of: the network halves them twice."""
MARGIN = 32
"""Pixels, a multiple of `STRIDE`, beyond which nothing around a pixel reaches what the network makes of it."""
TILE = 512
"""Side of the tiles by which a large canvas is gone through, pixels, a multiple of `STRIDE`."""
CHANNELS = 6
FAINT = 0.02
"""Light, as a share of the brightest pixel's, below which a pixel is not corrected: there the gradient is noise."""
TURNS = 8
"""Turns and mirror images of a square."""
Physics = Callable[[torch.Tensor], torch.Tensor]
"""From an object (rows, columns) to the likelihood's gradient there."""


def _block(inside: int, *widths: int) -> nn.Sequential:
    layers = list[nn.Module]()
    for width in widths:
        layers += [nn.Conv2d(inside, width, 3, padding=1), nn.ReLU()]
        inside = width
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Six channels to two at three scales; the first output is zero.

    Parameters
    ----------
    width
        Feature maps at the first scale; the others have twice as many.
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
        """Return (batch, 2, rows, columns) of (batch, 6, rows, columns), sides a multiple of four."""
        fine = self.fine(features)
        middle = self.middle(self.shrink(fine))
        coarse = self.coarse(self.shrink(middle))
        middle = self.to_middle(torch.cat([self.enlarge(coarse), middle], dim=1))
        return self.head(self.to_fine(torch.cat([self.enlarge(middle), fine], dim=1)))


class UnrolledNetwork(nn.Module):
    """A few steps O <- O - eta d + s U(O, d, s), d the gradient over the light, s = 1 / sqrt(1 + photons per pixel).

    The first step length eta is 0, and so is the first U: untrained, it returns what it is given.

    Parameters
    ----------
    steps
        How many; each has weights of its own.
    width
        Of each U-Net.
    low_precision
        Whether convolutions are computed in bfloat16.

    Attributes
    ----------
    falls_back
        Whether it explained held-out counts worse than the image that it starts from, so that it is not to be used.
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
            In units of the best constant object, its mean phase taken off.
        gradient
            Of the likelihood of the counts.
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
            down = gradient(image) / (light + faint)
            features = torch.stack([image.real - 1, image.imag, down.real, down.imag, noise, seen])
            change = seen * noise * turned(self._learned(learned, turned(features, turn)), turn, back=True)
            image = image - length * seen * down + torch.complex(change[0], change[1])
        return image

    def count_params(self) -> int:
        """Return the number of weights."""
        return sum(weights.numel() for weights in self.parameters())

    def _learned(self, network: nn.Module, features: torch.Tensor) -> torch.Tensor:
        """Return (2, rows, columns) of (6, rows, columns), of a large canvas tile by tile."""
        rows, columns = features.shape[-2:]
        padded = nn.functional.pad(features[None], (0, -columns % STRIDE, 0, -rows % STRIDE), mode="replicate")
        if self.training or max(rows, columns) <= TILE + 2 * MARGIN:
            return self._convolved(network, padded)[0, :, :rows, :columns]
        out = torch.empty(2, rows, columns, device=features.device)
        for row in range(0, rows, TILE):
            for column in range(0, columns, TILE):
                top, left = max(row - MARGIN, 0), max(column - MARGIN, 0)
                tile = padded[..., top : row + TILE + MARGIN, left : column + TILE + MARGIN]
                made = self._convolved(network, tile)[0, :, row - top :, column - left :]
                part = out[:, row : row + TILE, column : column + TILE]
                part[:] = made[:, : part.shape[1], : part.shape[2]]
        return out

    def _convolved(self, network: nn.Module, features: torch.Tensor) -> torch.Tensor:
        features = features.contiguous(memory_format=torch.channels_last)
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self.low_precision):
            return network(features).float()


def turned(image: torch.Tensor, turn: int, back: bool = False) -> torch.Tensor:
    """Return one of the eight turns and mirror images of (..., rows, columns), or undo it.

    Parameters
    ----------
    turn
        0 to `TURNS` - 1: 1 mirrors the columns, 2 the rows, 4 exchanges rows and columns after that; they add up.
    back
        Whether to undo it.
    """
    if back and turn & 4:
        image = image.transpose(-1, -2)
    flipped = [axis for bit, axis in ((1, -1), (2, -2)) if turn & bit]
    image = image.flip(flipped) if flipped else image
    return image.transpose(-1, -2) if turn & 4 and not back else image

"""PtychoPINN as one would write it in torch alone: what Keras costs is measured against it.

The same network, loss, clipping and optimiser; channels-last memory, bfloat16 autocast, complex FFTs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from studylib.design import BACKGROUND
from studylib.learn.layers import DARK, FAINT


def _block(inputs: int, width: int) -> nn.Sequential:
    convolutions = (nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
    return nn.Sequential(*convolutions)


class _Decoder(nn.Sequential):
    def __init__(self, width: int) -> None:
        up = nn.Upsample(scale_factor=2)
        head = nn.Conv2d(width, 16, 3, padding=1)
        super().__init__(up, _block(4 * width, 2 * width), up, _block(2 * width, width), head, nn.PixelShuffle(4))
        nn.init.uniform_(head.weight, -0.005, 0.005)


class PtychoPINN(nn.Module):
    """From patterns (batch, C, N, N) and offsets (batch, C, 2) to the expected patterns, in photons."""

    def __init__(self, probe: np.ndarray, width: int, scale: float) -> None:
        super().__init__()
        self.scale, self.n = scale, probe.shape[0]
        far = np.fft.fft2(probe)
        weight = np.abs(probe) ** 2
        for name, array in {
            "probe": probe,
            "phase": far / (np.abs(far) + DARK * np.abs(far).max()),
            "update": np.conj(probe) / weight.max() * scale,
            "weight": weight / weight.max(),
        }.items():
            kind = np.complex64 if np.iscomplexobj(array) else np.float32
            self.register_buffer(name, torch.from_numpy(array.astype(kind)))
        self.encoder = nn.Sequential(
            _block(80, width), nn.MaxPool2d(2), _block(width, 2 * width), nn.MaxPool2d(2), _block(2 * width, 4 * width)
        )
        self.amplitude, self.phase_map = _Decoder(width), _Decoder(width)

    def shifts(self, offsets: Tensor) -> tuple[Tensor, Tensor]:
        pixels = offsets[..., None] + torch.arange(self.n, dtype=torch.float32)
        places = pixels.transpose(1, 2).reshape(len(offsets), 2, -1)
        x, y = torch.relu(1 - (places[..., None] - places[..., None, :]).abs()).unbind(1)
        shape = (len(offsets), -1, self.n, places.shape[-1])
        return y.reshape(shape), x.reshape(shape)

    @staticmethod
    def gather(patches: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Sum (batch, C, M, N, N) over the group, each member at its place in each window."""
        b, c, m, n, _ = patches.shape
        moved = (patches.reshape(b, c, m * n, n) @ x).reshape(b, c, m, n, c, n).permute(0, 4, 1, 3, 2, 5)
        return (y @ moved.reshape(b, c, c * n, m * n)).reshape(b, c, n, m, n).transpose(2, 3)

    def forward(self, amplitudes: Tensor, offsets: Tensor) -> Tensor:
        b, c, n, _ = amplitudes.shape
        y, x = self.shifts(offsets)
        wave = torch.fft.ifft2(torch.fft.ifftshift(amplitudes / self.scale, dim=(2, 3)) * self.phase, norm="ortho")
        own = torch.view_as_real(wave * self.update).movedim(-1, 2)
        light = self.gather(self.weight.expand(b, c, 1, n, n), y, x)
        stack = torch.cat([own, self.gather(own, y, x) / (light + DARK), light + DARK], dim=2).reshape(b * c, 5, n, n)
        with torch.autocast("cpu", torch.bfloat16):
            z = functional.pixel_unshuffle(stack, 4).contiguous(memory_format=torch.channels_last)
            z = self.encoder(z)
            a, p = self.amplitude(z), self.phase_map(z)
        modulus = 1.2 * torch.sigmoid(a.float().reshape(b, c, n, n) + 1.1)
        image = torch.polar(modulus, np.pi * torch.tanh(p.float().reshape(b, c, n, n)))
        mean = self.gather(self.weight * torch.view_as_real(image).movedim(-1, 2), y, x) / (light + FAINT)
        spectrum = torch.fft.fft2(torch.complex(mean[:, :, 0], mean[:, :, 1]) * self.probe, norm="ortho")
        return torch.fft.fftshift(spectrum.abs() ** 2, dim=(2, 3))


def step(model: PtychoPINN, optimizer: torch.optim.Optimizer, amplitudes: Tensor, offsets: Tensor) -> float:
    """Take one training step and return its loss."""
    optimizer.zero_grad()
    expected, counts = model(amplitudes, offsets), amplitudes**2
    loss = (expected - (counts + BACKGROUND) * torch.log(expected + BACKGROUND)).mean()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    optimizer.step()
    return float(loss.detach())

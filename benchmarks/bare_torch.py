"""PtychoPINN as one would write it in torch alone: what Keras costs is measured against it.

The same network, loss, clipping and optimiser; channels-last memory, bfloat16 autocast, complex FFTs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from studylib.design import BACKGROUND
from studylib.learn.layers import DARK


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
        pixel = torch.arange(self.n, dtype=torch.float32)
        d = (offsets[:, None] - offsets[:, :, None])[..., None, None]
        x, y = (torch.relu(1 - (pixel[:, None] - pixel - d[..., i, :, :]).abs()) for i in (0, 1))
        return y, x.mT

    @staticmethod
    def gather(patches: Tensor, y: Tensor, x: Tensor) -> Tensor:
        return (y @ (patches[:, None] @ x)).sum(dim=2)

    def forward(self, amplitudes: Tensor, offsets: Tensor) -> Tensor:
        b, c, n, _ = amplitudes.shape
        y, x = self.shifts(offsets)
        wave = torch.fft.ifft2(torch.fft.ifftshift(amplitudes / self.scale, dim=(2, 3)) * self.phase, norm="ortho")
        own = wave * self.update
        total = self.gather(self.weight.expand(b, c, n, n), y, x) + DARK
        features = [own.real, own.imag, self.gather(own.real, y, x) / total, self.gather(own.imag, y, x) / total, total]
        stack = torch.stack(features, dim=2).reshape(b * c, 5, n, n)
        with torch.autocast("cpu", torch.bfloat16):
            z = functional.pixel_unshuffle(stack, 4).contiguous(memory_format=torch.channels_last)
            z = self.encoder(z)
            a, p = self.amplitude(z), self.phase_map(z)
        modulus = 1.2 * torch.sigmoid(a.float().reshape(b, c, n, n) + 1.1)
        image = torch.polar(modulus, np.pi * torch.tanh(p.float().reshape(b, c, n, n)))
        weight = self.weight + 1e-3
        total = self.gather(weight.expand(b, c, n, n), y, x)
        real, imag = (self.gather(weight * part, y, x) / total for part in (image.real, image.imag))
        spectrum = torch.fft.fft2(torch.complex(real, imag) * self.probe, norm="ortho")
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

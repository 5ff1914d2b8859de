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

    def weights(self, offsets: Tensor) -> Tensor:
        places = offsets.permute(2, 1, 0)
        distance = (places[..., None] - places.transpose(1, 2)[:, None])[..., None] + torch.arange(1 - self.n, self.n)
        return torch.relu(1 - distance.abs()).unfold(-1, self.n, 1).contiguous()

    @staticmethod
    def gather(patches: Tensor, weights: Tensor) -> Tensor:
        """Sum (batch, C, N, M, N) over the group, each member at its place in each window."""
        b, c, n, m, _ = patches.shape
        lines = patches.flip(2, 4).reshape(b, c, n * m, n)
        sums = []
        for x, y in zip(weights[0], weights[1], strict=True):
            moved = (lines @ x).reshape(b, c * n, m * n)
            sums.append((y.reshape(b, c * n, n).transpose(1, 2) @ moved).reshape(b, n, m, n))
        return torch.stack(sums, dim=1)

    def forward(self, amplitudes: Tensor, offsets: Tensor) -> Tensor:
        b, c, n, _ = amplitudes.shape
        weights = self.weights(offsets)
        wave = torch.fft.ifft2(torch.fft.ifftshift(amplitudes / self.scale, dim=(2, 3)) * self.phase, norm="ortho")
        own = torch.view_as_real(wave * self.update).movedim(-1, 3)
        light = self.gather(self.weight[:, None].expand(b, c, n, 1, n), weights)
        total = light + DARK
        stack = torch.cat([own, self.gather(own, weights) / total, total], dim=3)
        stack = stack.reshape(b * c, n, 5, n).transpose(1, 2)
        with torch.autocast("cpu", torch.bfloat16):
            z = functional.pixel_unshuffle(stack, 4).contiguous(memory_format=torch.channels_last)
            z = self.encoder(z)
            a, p = self.amplitude(z), self.phase_map(z)
        modulus = 1.2 * torch.sigmoid(a.float().reshape(b, c, n, n) + 1.1)
        image = torch.polar(modulus, np.pi * torch.tanh(p.float().reshape(b, c, n, n)))
        mean = self.gather(self.weight[:, None] * torch.view_as_real(image).movedim(-1, 3), weights) / (light + FAINT)
        spectrum = torch.fft.fft2(torch.complex(mean[:, :, :, 0], mean[:, :, :, 1]) * self.probe, norm="ortho")
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

"""What the processor can do, measured in the same run: the stages are quoted as fractions of it."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_ceiling_gemm(benchmark, rate, kind):
    import torch

    a, b = (torch.randn(2048, 2048).to(getattr(torch, kind)) for _ in range(2))
    benchmark.pedantic(torch.matmul, (a, b), rounds=7, iterations=3, warmup_rounds=2)
    rate(2 * 2048**3 / 1e9, "gflops")


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_ceiling_convolution(benchmark, rate, kind):
    """The network's most frequent shape: 64 to 64 maps, 3 x 3, on 8 x 8 pixels, 32 patterns."""
    import torch

    dtype = getattr(torch, kind)
    convolution = torch.nn.Conv2d(64, 64, 3, padding=1).to(dtype).to(memory_format=torch.channels_last)
    images = torch.randn(32, 64, 8, 8, dtype=dtype).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        benchmark.pedantic(convolution, (images,), rounds=20, iterations=10, warmup_rounds=3)
    rate(2 * 32 * 64 * 9 * 64 * 64 / 1e9, "gflops")


def test_ceiling_fft(benchmark, rate):
    """64 x 64 complex transforms, as the simulation makes them."""
    waves = np.random.default_rng(0).normal(size=(256, 64, 64)).astype(np.complex128)
    benchmark.pedantic(np.fft.fft2, (waves,), rounds=10, warmup_rounds=1)
    rate(256)


def test_ceiling_poisson(benchmark, rate):
    """64 x 64 draws at 1000 photons."""
    generator = np.random.default_rng(0)
    mean = np.full((256, 64, 64), 1000 / 4096)
    benchmark.pedantic(generator.poisson, (mean,), rounds=10, warmup_rounds=1)
    rate(256)


def test_ceiling_memory(benchmark, rate):
    source = np.random.default_rng(0).random(1 << 26)
    target = np.empty_like(source)
    benchmark.pedantic(np.copyto, (target, source), rounds=7, warmup_rounds=1)
    rate(2 * source.nbytes / 1e9, "gigabytes_per_second")

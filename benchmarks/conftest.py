"""What the benchmarks share: scans of any size, and the peak memory of each benchmark."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

from studylib import samples
from studylib.arms.networks import PinnSettings
from studylib.design import VIEWS, StudyDesign
from studylib.physics import overlap, simulate
from studylib.scan import Scan

DESIGN = StudyDesign.for_profile("laptop")
PINN = PinnSettings()


@pytest.fixture(scope="session")
def design() -> StudyDesign:
    return DESIGN


@pytest.fixture(scope="session")
def source() -> samples.Sample:
    return samples.built_in(DESIGN.sample, DESIGN.seeds)


@pytest.fixture(scope="session")
def scan(source) -> Scan:
    """The dense view of the training half, 1000 photons a pattern."""
    generator = np.random.default_rng(1)
    positions = simulate.scan_positions(source.object.shape, 64, DESIGN.sample, generator)
    positions = positions[simulate.split_along_y(positions, 512, 64)["train"]]
    spacing = overlap.target_spacing(VIEWS["dense"], samples.probe_diameter(source.probe))
    positions = positions[overlap.thin(positions, spacing, 456)]
    probe = simulate.scale_probe(source.object, source.probe, positions, 1000)
    scale = simulate.intensity_scale(1000, 64)
    counted = simulate.count_photons(source.object, probe, positions, scale, generator)
    return Scan(counted, probe, positions, scale, source.object.shape, {})


def raster(n: int, pitch: float = 5.0) -> np.ndarray:
    """Return n jittered positions at one density, whatever n."""
    side = int(np.ceil(np.sqrt(n)))
    x, y = (grid.ravel() * pitch for grid in np.meshgrid(np.arange(side), np.arange(side)))
    positions = np.stack([x, y], axis=1)[:n]
    return positions + np.random.default_rng(n).uniform(-1.5, 1.5, positions.shape)


@pytest.fixture(autouse=True)
def memory(benchmark) -> Iterator[None]:
    """Record the largest resident size within the benchmark, MiB (Linux: the kernel's mark is reset)."""
    mark = Path("/proc/self/clear_refs")
    if mark.exists():
        mark.write_text("5")
    yield
    status = Path("/proc/self/status")
    if status.exists():
        peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        benchmark.extra_info["peak_memory_mib"] = round(int(peak.group(1)) / 1024)


@pytest.fixture
def rate(benchmark):
    """Return a function that records how many of something a second the benchmark did."""

    def record(amount: float, unit: str = "patterns_per_second") -> None:
        benchmark.extra_info[unit] = round(amount / benchmark.stats.stats.median, 1)

    return record

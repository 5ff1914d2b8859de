"""What a process computes with: processor, GPU, threads and libraries."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed: of two frameworks, one is enough."""
    found = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def processor() -> str:
    """Return the name of the processor, or of its kind where the system tells no name."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def threads() -> int:
    """Return the threads that this process computes with."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def device() -> str:
    """Return in words what this process computes on: the name of its GPU, or cpu.

    Nothing is imported for it: a framework that the process has not loaded computes nothing.
    """
    torch, tensorflow = sys.modules.get("torch"), sys.modules.get("tensorflow")
    if torch is not None and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "gpu" if tensorflow is not None and tensorflow.config.list_physical_devices("GPU") else "cpu"

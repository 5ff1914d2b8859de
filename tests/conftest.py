"""Fixtures: small scans made by the study's own simulation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
from filelock import FileLock

from studylib import samples
from studylib.design import SampleSettings, Seeds, StudyDesign
from studylib.physics import simulate
from studylib.scan import Scan

ROOT = Path(__file__).resolve().parents[1]


LONGEST = (
    "tests/study/test_response.py", "tests/study/test_phase_g_dense_orchestrator.py", "tests/study/test_measured.py",
    "tests/notebooks/test_notebooks.py", "tests/study/test_faults.py", "tests/study/test_outside_arm.py",
    "tests/unit/learn/test_backend.py", "tests/unit/learn/test_train.py", "tests/browser/test_lab.py",
    "tests/browser/test_report.py",
)  # fmt: skip
"""Files that take long: first, so that two processes end together; the first of them shares nothing with the second."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files; within a file nothing changes."""
    places = {str(ROOT / name): place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(str(item.path), len(places)))


@pytest.fixture(scope="session")
def design() -> StudyDesign:
    return StudyDesign.for_profile("smoke")


@pytest.fixture(scope="session")
def specimen() -> samples.Sample:
    return samples.built_in(SampleSettings(object_size=192), Seeds())


@pytest.fixture(scope="session")
def scan(specimen) -> Scan:
    """About 120 patterns of 1000 photons on a 192 px object."""
    generator = np.random.default_rng(3)
    settings = SampleSettings(object_size=192, scan_step=11.0)
    positions = simulate.scan_positions(specimen.object.shape, 64, settings, generator)
    probe = simulate.scale_probe(specimen.object, specimen.probe, positions, 1000)
    scale = simulate.intensity_scale(1000, 64)
    diffraction = simulate.count_photons(specimen.object, probe, positions, scale, generator)
    metadata = {"dose": 1000, "split": "train", "view": "dense", "object_shape": [192, 192]}
    return Scan(diffraction, probe, positions, scale, (192, 192), metadata)


def studylib(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "studylib", *arguments],
        capture_output=True, text=True, cwd=ROOT, env=os.environ | environment, check=False,
    )  # fmt: skip


def until(condition: Callable[[], object], seconds: float = 60.0) -> bool:
    """Return whether a condition holds before so many seconds are over."""
    late = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > late:
            return False
        time.sleep(0.05)
    return True


def scores(hub: Path) -> dict[str, list[str]]:
    """Return the metric rows of the test split; what a run cost is not the same twice."""
    lines = (hub / "analysis/dose_1000/dense/test/comparison_metrics.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    return {"/".join(r[:2]): r[2:] for r in rows if r[1] not in ("computation_time_s", "peak_memory_mib")}


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Return the hub of one smoke run, made once for all processes of the tests, and how the run ended."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    hub, told = base / "runs/smoke", base / "smoke.json"  # a folder of runs of its own, as explore.ipynb wants
    with FileLock(f"{told}.lock"):
        if not told.is_file():
            done = studylib("dense", "--hub", str(hub), "--dose", "1000", "--view", "dense", "--profile", "smoke")
            told.write_text(json.dumps([done.args, done.returncode, done.stdout, done.stderr]))
    return hub, subprocess.CompletedProcess(*json.loads(told.read_text()))

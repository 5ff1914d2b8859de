"""A scan of 1e5 positions: does it train and stitch in bounded memory? `make large`.

Each stage runs in a process of its own, as in a run, and reports its peak memory.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from studylib import samples
from studylib.arms.networks import PinnSettings
from studylib.design import StudyDesign
from studylib.io import dataset
from studylib.physics import simulate
from studylib.reconstruction import peak_memory_mib
from studylib.scan import Scan

DESIGN = StudyDesign.for_profile("laptop")
PINN = PinnSettings()
STEPS = 200


def simulate_scan(folder: Path, n: int) -> None:
    """Write a dense scan of n positions, its patterns made block by block."""
    side = int(np.ceil(np.sqrt(n)) * 10.8) + 66
    truth, probe = samples.dead_leaves(side, 1), samples.zone_plate_probe(64)
    settings = DESIGN.sample.model_copy(update={"scan_step": 10.8})
    generator = np.random.default_rng(1)
    positions = simulate.scan_positions(truth.shape, 64, settings, generator)[:n]
    probe, scale = simulate.scale_probe(truth, probe, positions[:1000], 1000), simulate.intensity_scale(1000, 64)
    patterns = np.lib.format.open_memmap(folder / "patterns.npy", "w+", np.float32, (n, 64, 64))
    for start in range(0, n, 2000):
        part = slice(start, start + 2000)
        patterns[part] = simulate.count_photons(truth, probe, positions[part], scale, generator)
    metadata = {"dose": 1000, "split": "train", "view": "dense", "object_shape": list(truth.shape)}
    dataset.save(folder / "scan.npz", Scan(patterns, probe, positions, scale, truth.shape, metadata), truth)


def train(folder: Path, n: int) -> None:
    """Train PtychoPINN for some steps."""
    from studylib.learn.predict import save_network
    from studylib.learn.train import train_pinn

    settings = PINN.model_copy(update={"steps": STEPS, "evaluations": 2})
    trained = train_pinn(dataset.load_scan(folder / "scan.npz"), PINN.grouping, settings, 7, 123)
    save_network(trained.network, folder / "model.keras")


def reconstruct(folder: Path, n: int) -> None:
    """Predict every patch and stitch them."""
    from studylib.learn.predict import load_network
    from studylib.learn.predict import reconstruct as assemble

    image = assemble(load_network(folder / "model.keras", ""), dataset.load_scan(folder / "scan.npz"), PINN.grouping, 1)
    assert np.isfinite(image).all() and np.abs(image).max() > 0.5


STAGES = {"simulate": simulate_scan, "train": train, "reconstruct": reconstruct}


def _measured(stage: str, folder: Path, n: int, queue) -> None:
    start = time.perf_counter()
    STAGES[stage](folder, n)
    queue.put({"seconds": round(time.perf_counter() - start, 1), "peak_memory_mib": round(peak_memory_mib())})


def main() -> None:
    """Measure every stage and write benchmarks/large.json."""
    sizes = [int(float(a)) for a in sys.argv[1:]] or [1_000, 10_000, 100_000]
    context, told = get_context("spawn"), []
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for stage in STAGES:
                queue = context.Queue()
                process = context.Process(target=_measured, args=(stage, Path(folder), n, queue))
                process.start()
                process.join()
                if process.exitcode:
                    raise SystemExit(f"{stage} of {n} positions failed with status {process.exitcode}")
                told.append({"positions": n, "stage": stage, **queue.get()})
                print(told[-1], flush=True)
    for stage, key in ((s, k) for s in STAGES for k in ("seconds", "peak_memory_mib")):
        values = [row[key] for row in told if row["stage"] == stage]
        if len(values) > 1:
            exponent = np.polyfit(np.log(sizes), np.log(values), 1)[0]
            print(f"{stage}: {key} ~ n^{exponent:.2f}")
    (Path(__file__).parent / "large.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

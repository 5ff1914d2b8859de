"""A measured scan of 1e5 positions of 128 x 128 px, in Zarr: what streams, and in which memory. `make large`.

Each stage runs in a process of its own, as in a run, and tells its seconds and the most memory that it took for itself:
pages of files, which the system takes back when it needs them, are not counted. Solvers run few iterations and networks
few steps, since memory does not depend on them. Written to benchmarks/large.json and docs/large.md.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from studylib import samples
from studylib.arms.map import MapSettings, solve
from studylib.arms.networks import PinnSettings
from studylib.arms.registry import arm, arms
from studylib.design import Seeds, StudyDesign
from studylib.errors import InputError
from studylib.io import dataset
from studylib.io.files import write_text
from studylib.io.readers import open_scan
from studylib.machine import processor
from studylib.measured_condition import shorter
from studylib.physics import forward, simulate

PINN = PinnSettings()
STEP, DOSE = 5.0, 1_000
"""Of the scan: pixels from one position to the next, photons per pattern."""
PAGE = Path(__file__).resolve().parents[1] / "docs/large.md"


def write_zarr(folder: Path, n: int, side: int) -> None:
    """Write the counts of a scan as Zarr, block by block."""
    import zarr

    size = int(np.ceil(np.sqrt(n)) * STEP) + side + 2
    truth, probe = samples.dead_leaves(size, 1), samples.zone_plate_probe(side)
    settings = StudyDesign.for_profile("laptop").sample.model_copy(update={"scan_step": STEP})
    generator = np.random.default_rng(1)
    positions = simulate.scan_positions(truth.shape, side, settings, generator)[:n]
    probe = simulate.scale_probe(truth, probe, positions[:1000], DOSE)
    group = zarr.open_group(folder / "scan.zarr", mode="w")
    shape = len(positions), side, side
    patterns = group.create_array("diff3d", shape=shape, chunks=(64, side, side), dtype="uint16")
    for start in range(0, len(positions), 1024):
        part = slice(start, start + 1024)
        expected = np.concatenate(list(forward.expected_counts(truth, probe, positions[part])))
        patterns[part] = generator.poisson(expected).astype(np.uint16)
    for name, array in (("probeGuess", probe), ("xcoords", positions[:, 0]), ("ycoords", positions[:, 1])):
        group.create_array(name, data=np.ascontiguousarray(array))


def read(folder: Path, n: int, side: int) -> None:
    """Read the Zarr group as a scan, and write it as the data set that arms are given."""
    scan = open_scan(folder / "scan.zarr").scan()
    dataset.save(folder / "scan.npz", scan, np.ones(scan.shape, np.complex64))


def divide(folder: Path, n: int, side: int) -> None:
    """Divide the counts into a shorter exposure, counts held back and the rest."""
    shorter(dataset.load_scan(folder / "scan.npz"), DOSE // 4, 3)


def run_map(folder: Path, n: int, side: int) -> None:
    """Two iterations of MAP."""
    image, _ = solve(dataset.load_scan(folder / "scan.npz"), MapSettings(iterations=2, rounds=1))
    np.save(folder / "map.npy", image)


def train(folder: Path, n: int, side: int) -> None:
    """Twenty steps of PtychoPINN."""
    from studylib.learn.predict import save_network
    from studylib.learn.train import train_pinn

    settings = PINN.model_copy(update={"steps": 20, "evaluations": 1})
    trained = train_pinn(dataset.load_scan(folder / "scan.npz"), PINN.grouping, settings, 7, 123)
    save_network(trained.network, folder / "model.keras")


def predict(folder: Path, n: int, side: int) -> None:
    """Predict every patch with PtychoPINN and stitch them."""
    from studylib.learn.predict import load_network, reconstruct

    image = reconstruct(
        load_network(folder / "model.keras", ""), dataset.load_scan(folder / "scan.npz"), PINN.grouping, 1
    )
    assert np.isfinite(image).all() and np.abs(image).max() > 0.5


def unrolled(folder: Path, n: int, side: int) -> None:
    """Correct MAP's image by an Unrolled of first weights."""
    from studylib.learn.canvas import device
    from studylib.learn.unrolled import UnrolledNetwork

    chosen = arm("unrolled")
    network, start = UnrolledNetwork(2, chosen.settings().width).to(device()), np.load(folder / "map.npy")
    scan = dataset.load_scan(folder / "scan.npz")
    assert np.isfinite(chosen.reconstruct(scan, chosen.settings(), Seeds(), network, {"map": start}).object).all()


STAGES: dict[str, Callable[[Path, int, int], None]] = {
    "write the Zarr group": write_zarr, "read it": read, "divide the counts": divide, "MAP, 2 iterations": run_map,
    "train PtychoPINN, 20 steps": train, "predict and stitch": predict, "Unrolled on MAP's image": unrolled,
}  # fmt: skip


def own_mib() -> float:
    """Return the memory that this process has for itself now, MiB."""
    told = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(told.split("RssAnon:")[1].split()[0]) / 1024


def _measured(stage: str, folder: Path, n: int, side: int, queue) -> None:
    most, done = [own_mib()], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            most.append(max(most.pop(), own_mib()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    try:
        STAGES[stage](folder, n, side)
        queue.put({"seconds": round(time.perf_counter() - start, 1), "own_mib": round(most[0])})
    finally:
        done.set()
        watcher.join()


def refused(folder: Path) -> dict[str, str]:
    """Return what each arm says of the scan: that it refuses it, or nothing."""
    scan, told = dataset.load_scan(folder / "scan.npz"), {}
    for key in arms():
        try:
            arm(key).refuse_too_large(scan)
            told[arm(key).name] = ""
        except InputError as error:
            told[arm(key).name] = str(error)
    return told


def page(told: list[dict], says: dict[str, str], side: int) -> str:
    """Return docs/large.md."""
    sizes = sorted({row["positions"] for row in told})
    heads = " | ".join(f"{n:,} positions: s | MiB" for n in sizes)
    lines = [
        "# Large scans", "",
        f"Written by `make large`: counts of {side} x {side} px in Zarr, {processor()}, one thread. Memory is what a",
        "stage takes for itself; pages of files, which the system takes back when it needs them, are not counted.",
        "Solvers run few iterations here and networks few steps: their memory does not depend on the number.", "",
        f"| stage | {heads} |", "|---" * (1 + 2 * len(sizes)) + "|",
    ]  # fmt: skip
    for stage in STAGES:
        mine = {row["positions"]: row for row in told if row["stage"] == stage}
        lines.append(
            f"| {stage} | " + " | ".join(f"{mine[n]['seconds']:.0f} | {mine[n]['own_mib']:,}" for n in sizes) + " |"
        )
    lines += ["", f"At {sizes[-1]:,} positions the arms that do not stream say:", ""]
    return "\n".join([*lines, *(f"- {name}: {words}" for name, words in says.items() if words), ""])


def main() -> None:
    """Measure every stage; write the figures and the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("positions", nargs="*", type=float, default=[1e4, 1e5])
    parser.add_argument("--side", type=int, default=128)
    given, context, told, says = parser.parse_args(), get_context("spawn"), [], {}
    for n in map(int, given.positions):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
            for stage in STAGES:
                queue = context.Queue()
                process = context.Process(target=_measured, args=(stage, Path(folder), n, given.side, queue))
                process.start()
                process.join()
                if process.exitcode:
                    raise SystemExit(f"{stage} of {n} positions failed with status {process.exitcode}")
                told.append({"positions": n, "side": given.side, "stage": stage, **queue.get()})
                print(told[-1], flush=True)
            says = refused(Path(folder))
    (Path(__file__).parent / "large.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    write_text(PAGE, page(told, says, given.side))


if __name__ == "__main__":
    main()

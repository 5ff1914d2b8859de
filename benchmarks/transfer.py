"""Networks trained on one scan and used on another: `make transfer`, to docs/transfer.md; resumes.

Rows are what an arm is trained on, columns what it reconstructs, one thing changed at a time: dose, sample or probe.
MAP, which is not trained, stands beneath as the line to beat. Samples have seeds of their own, those that options are
chosen on, so that what is learned here may decide how the study trains.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.positions import scored
from benchmarks.selection import DESIGN, SEEDS, Condition, scan_of
from studylib.arms.registry import arm, settings_of, train
from studylib.design import DOSES
from studylib.io.files import read_table, write_table, write_text
from studylib.judge.compare import CONSTANT, compare_arms
from studylib.physics.windows import extract

DOCS = Path(__file__).resolve().parents[1] / "docs"
TABLE, PAGE = DOCS / "transfer.csv", DOCS / "transfer.md"
ARMS = ("pinn", "baseline", "unrolled")
MATRICES: dict[str, list[Condition]] = {
    "dose": [("leaves", "zone-plate", dose, "dense") for dose in DOSES],
    "dose, sparse": [("leaves", "zone-plate", dose, "sparse") for dose in DOSES],
    "sample": [(sample, "zone-plate", 1_000, "dense") for sample in ("leaves", "natural", "two-materials")],
    "probe": [("leaves", probe, 1_000, "dense") for probe in ("zone-plate", "smooth", "diffuser")],
}
COLUMNS = (
    "trained_on", "reconstructed", "arm", "phase_ms_ssim", "phase_mae", "amplitude_ms_ssim", "training_seconds",
    "reconstruction_seconds", "status",
)  # fmt: skip


def told(condition: Condition) -> str:
    """Return a condition in words."""
    return " ".join(map(str, condition))


@lru_cache(maxsize=1)
def trained_on(key: str, condition: Condition) -> tuple[Any, Any, float]:
    """Return the network of an arm, the settings that it was trained with, and how long it took."""
    source, scan = scan_of(condition, arm(key).trains_on)
    settings, _ = settings_of(key, DESIGN, scan)
    patches = extract(source.object, scan.positions, scan.n_pixels) if arm(key).needs_truth else None
    result = train(key, scan, patches, settings, DESIGN, SEEDS)
    return result.network, settings, result.seconds


@lru_cache(maxsize=32)
def map_image(condition: Condition) -> tuple[np.ndarray, float]:
    """Return MAP's image of a test half, and its seconds."""
    scan = scan_of(condition, "test")[1]
    made = arm("map").reconstruct(scan, settings_of("map", DESIGN, scan)[0], DESIGN.seeds)
    return made.object, made.seconds


def run(trained: Condition | None, wanted: Condition, key: str) -> list[dict[str, Any]]:
    """Train (or take what was trained last), reconstruct the test half of the other scan and return its rows."""
    chosen, (source, scan) = arm(key), scan_of(wanted, "test")
    seconds = 0.0
    if trained is None:
        image, took = map_image(wanted)
    else:
        network, settings, seconds = trained_on(key, trained)
        starts = {"map": map_image(wanted)[0]} if chosen.after else {}
        ready = chosen.for_scan(network, scan, settings)
        made = chosen.reconstruct(scan, settings, DESIGN.seeds, ready, starts)
        image, took = made.object, made.seconds
    cost = {"training_seconds": seconds, "reconstruction_seconds": took, "peak_memory_mib": 0.0}
    comparison = compare_arms({chosen.name: image}, source.object, scan, DESIGN, {chosen.name: cost}, source.phase)
    names = [CONSTANT, chosen.name] if trained is None else [chosen.name]
    return [
        {
            "trained_on": "" if trained is None else told(trained), "reconstructed": told(wanted), "arm": name,
            "training_seconds": round(seconds) if trained else "",
            "reconstruction_seconds": round(took, 1) if name == chosen.name else "",
        } | scored(comparison, name)
        for name in names
    ]  # fmt: skip


def plan(matrices: list[str], arms: list[str]) -> Iterator[tuple[Condition | None, Condition, str]]:
    """Yield what is to be run, the uses of one training next to each other."""
    for name in matrices:
        for wanted in MATRICES[name]:
            yield None, wanted, "map"
        for key in arms:
            for trained in MATRICES[name]:
                for wanted in MATRICES[name]:
                    yield trained, wanted, key


def matrix(name: str, key: str, table: list[dict[str, str]]) -> list[str]:
    """Return the lines of one arm's matrix: phase MS-SSIM and mean absolute error."""
    conditions = MATRICES[name]
    cells = {(r["trained_on"], r["reconstructed"], r["arm"]): r for r in table}

    def line(label: str, trained: str, who: str) -> str:
        found = [cells.get((trained, told(c), who)) for c in conditions]
        scored = [
            "-" if r is None else f"{float(r['phase_ms_ssim']):.3f}, {float(r['phase_mae']):.4f}"
            + ("" if r["status"] in ("ok", "reference") else f" ({r['status']})")
            for r in found
        ]  # fmt: skip
        return "| " + " | ".join([label, *scored]) + " |"

    head = ["| trained on | " + " | ".join(told(c) for c in conditions) + " |", "|---" * (len(conditions) + 1) + "|"]
    rows = [line(told(c), told(c), arm(key).name) for c in conditions]
    return [*head, *rows, line("MAP, not trained", "", "MAP"), line("constant", "", CONSTANT)]


def page(table: list[dict[str, str]]) -> str:
    """Return docs/transfer.md."""
    lines = [
        "# Trained on one scan, used on another", "",
        "Written by `make transfer`. Rows: the scan whose training half a network learned from. Columns: the scan",
        "whose test half it reconstructs, with that scan's probe and dose in its physics and the weights as they are.",
        "Phase MS-SSIM after a blur of 1 px, and mean absolute error in rad. Samples are those that options are",
        "chosen on.", "",
    ]  # fmt: skip
    done = {(r["trained_on"], r["arm"]) for r in table}
    for name, conditions in MATRICES.items():
        for key in (k for k in ARMS if done >= {(told(c), arm(k).name) for c in conditions}):
            lines += [f"## {name.capitalize()}: {arm(key).name}", "", *matrix(name, key, table), ""]
    return "\n".join(lines)


def main() -> None:
    """Fill the table, a row at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--matrices", nargs="+", choices=MATRICES, default=list(MATRICES))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    given = parser.parse_args()
    for trained, wanted, key in plan(given.matrices, given.arms):
        name = "" if trained is None else told(trained)
        if (name, told(wanted), arm(key).name) in [tuple(r[c] for c in COLUMNS[:3]) for r in read_table(TABLE)]:
            continue
        print(name or "-", "to", told(wanted), arm(key).name, flush=True)
        write_table(TABLE, [*read_table(TABLE), *run(trained, wanted, key)])
    write_text(PAGE, page(read_table(TABLE)))


if __name__ == "__main__":
    main()

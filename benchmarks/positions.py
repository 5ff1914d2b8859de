"""What more training positions bring to the networks: `make positions`, to docs/positions.md; resumes.

Each network is trained on one, four and sixteen times the positions of a training half, with the same number of steps
and, for the largest, with four times as many, and reconstructs the test half of the study. The training objects are of
the same kind as the test object, tiled from seeds of their own, under the same probe. MAP, which needs no training,
stands beside them.
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

from studylib.arms.registry import arm, settings_of
from studylib.condition import simulate_halves, thin_to_view
from studylib.design import StudyDesign
from studylib.io.files import read_table, write_table, write_text
from studylib.judge.compare import CONSTANT, Comparison, compare_arms
from studylib.objects import specimen
from studylib.physics.windows import extract
from studylib.samples import Sample, built_in
from studylib.scan import Scan

DOCS = Path(__file__).resolve().parents[1] / "docs"
TABLE, PAGE = DOCS / "positions.csv", DOCS / "positions.md"
CONDITIONS = (("natural", "smooth", 1_000), ("leaves", "zone-plate", 1_000))
"""Sample, probe and photons per pattern, all dense."""
SEED, VIEW = 5_041, "dense"
DESIGN = StudyDesign.for_profile("laptop")
RUNS = ((1, 1), (4, 1), (16, 1), (16, 4))
"""Times the positions, times the steps."""
COLUMNS = (
    "sample", "probe", "dose", "arm", "times_positions", "times_steps", "positions", "steps", "training_seconds",
    "phase_ms_ssim", "phase_mae", "amplitude_ms_ssim", "status",
)  # fmt: skip


@lru_cache(maxsize=1)
def training_half(condition: tuple[str, str, int], times: int) -> tuple[Sample, Scan]:
    """Return a sample of `times` tiles under the study's probe, and the training half of its scan."""
    (kind, probe, dose), design = condition, DESIGN
    test = built_in(design.sample, design.seeds, kind, probe)
    side, size = round(times**0.5), design.sample.object_size
    rows = [[specimen(kind, size, SEED + side * r + c).object for c in range(side)] for r in range(side)]
    tiled = Sample(np.block(rows), test.probe, f"{kind}, {times} tiles", test.sample, test.probe_kind)
    settings = design.sample.model_copy(update={"object_size": side * size})
    scan = simulate_halves(tiled, settings, dose, SEED)["train"]
    return tiled, thin_to_view(scan, VIEW, design.seeds.subsampling)[0]


def wanted() -> Iterator[tuple[tuple[str, str, int], str, int, int]]:
    """Yield the runs of the table: condition, key of the arm, times the positions and times the steps."""
    for condition in CONDITIONS:
        yield condition, "map", 0, 0
        for times, longer in RUNS:
            for key in ("pinn", "baseline"):
                yield condition, key, times, longer


def run(condition: tuple[str, str, int], key: str, times: int, longer: int) -> list[dict[str, Any]]:
    """Train one network as told (MAP: not at all), reconstruct the test half and return its rows."""
    kind, probe, dose = condition
    design, chosen = DESIGN, arm(key)
    test = built_in(design.sample, design.seeds, kind, probe)
    scan = thin_to_view(
        simulate_halves(test, design.sample, dose, design.seeds.simulation)["test"], VIEW, design.seeds.subsampling
    )[0]
    settings, trained, n_positions, steps, seconds = settings_of(key, design, scan)[0], None, "", "", 0.0
    if chosen.trains:
        source, part = training_half(condition, times)
        settings = settings.model_copy(update={"steps": settings.steps * longer})
        patches = extract(source.object, part.positions, part.n_pixels) if chosen.needs_truth else None
        told = chosen.train(part, patches, settings, design.seeds)
        trained, n_positions, steps, seconds = told.network, len(part.positions), settings.steps, told.seconds
    image = chosen.reconstruct(scan, settings, design.seeds, trained)
    cost = {"training_seconds": seconds, "reconstruction_seconds": image.seconds, "peak_memory_mib": 0.0}
    comparison = compare_arms({chosen.name: image.object}, test.object, scan, design, {chosen.name: cost}, test.phase)
    names = [chosen.name] + ([CONSTANT] if key == "map" else [])
    return [
        dict(zip(COLUMNS[:3], condition, strict=True)) | {
            "arm": name, "times_positions": times or "", "times_steps": longer or "", "positions": n_positions,
            "steps": steps, "training_seconds": round(seconds) if chosen.trains else "",
        } | scored(comparison, name)
        for name in names
    ]  # fmt: skip


def scored(comparison: Comparison, name: str) -> dict[str, Any]:
    """Return the scores of an arm, or of the constant image, and its status."""
    scores = {r["metric"]: r for r in comparison.rows if r["model"] == name}
    return {
        "phase_ms_ssim": round(scores["ms_ssim"]["phase"], 4), "phase_mae": round(scores["mae"]["phase"], 4),
        "amplitude_ms_ssim": round(scores["ms_ssim"]["amplitude"], 4),
        "status": comparison.status["arms"].get(name, {"status": "reference"})["status"],
    }  # fmt: skip


def page(table: list[dict[str, str]]) -> str:
    """Return docs/positions.md."""
    lines = [
        "# More training positions", "",
        "Written by `make positions`. Test half of the study, dense overlap, one replicate, one thread. The networks",
        "are trained on other objects of the same kind as the test object, under the same probe. MS-SSIM after a blur",
        "of 1 px.", "",
    ]  # fmt: skip
    for sample, probe, dose in CONDITIONS:
        rows = [r for r in table if (r["sample"], r["probe"], r["dose"]) == (sample, probe, str(dose))]
        if not rows:
            continue
        lines += [f"## {sample}, {probe}, {dose:,} photons per pattern", ""]
        lines += ["| arm | training positions | steps | training s | phase MS-SSIM | MAE | amplitude MS-SSIM | |"]
        lines += ["|---" * 8 + "|"]
        for r in sorted(rows, key=lambda r: r["arm"]):
            cells = (r["positions"], r["steps"], r["training_seconds"])
            scored = (f"{float(r['phase_ms_ssim']):.3f}", r["phase_mae"], f"{float(r['amplitude_ms_ssim']):.3f}")
            lines.append("| " + " | ".join([r["arm"], *(c or "-" for c in cells), *scored, r["status"]]) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Fill the table, a training at a time."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for condition, key, times, longer in wanted():
        name = arm(key).name
        told = (*map(str, condition), name, str(times or ""), str(longer or ""))
        if told in [tuple(r[c] for c in COLUMNS[:6]) for r in read_table(TABLE)]:
            continue
        print(*condition, name, times, longer, flush=True)
        write_table(TABLE, [*read_table(TABLE), *run(condition, key, times, longer)])
    write_text(PAGE, page(read_table(TABLE)))


if __name__ == "__main__":
    main()

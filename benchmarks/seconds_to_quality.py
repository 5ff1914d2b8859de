"""Seconds to a given phase MS-SSIM, MAP beside PtyChi in one run: `make seconds`; to docs/seconds.md.

Both arms run on one thread, one after the other, on the training half of another sample than the study's. An arm is run
with growing numbers of iterations, each time from the start, since its schedule depends on their number; what counts is
the wall time of the first run that reaches the quality.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path
from typing import Any

from benchmarks.selection import SEEDS, by_truth, scan_of
from studylib.arms.registry import arm, settings_of
from studylib.design import StudyDesign
from studylib.io.files import write_text

PAGE = Path(__file__).resolve().parents[1] / "docs/seconds.md"
QUALITIES = (0.8, 0.9, 0.95)
CONDITIONS = [("leaves", "zone-plate", dose, view) for dose, view in
              ((1_000, "dense"), (10_000, "dense"), (100_000, "dense"), (100_000, "sparse"))]  # fmt: skip
LENGTHS: dict[str, tuple[str, tuple[int, ...]]] = {
    "map": ("iterations", (10, 15, 20, 30, 45, 70, 100, 150)),
    "ptychi": ("epochs", (3, 5, 8, 12, 20, 30, 50, 80)),
}
ONE_RUN: dict[str, dict[str, Any]] = {"map": {"rounds": 1}, "ptychi": {"first_epochs": 0}}
"""What makes the length of a run that number alone."""


def curve(key: str, condition: tuple[str, str, int, str]) -> list[tuple[int, float, float]]:
    """Return (iterations, seconds, phase MS-SSIM) of runs of growing length."""
    source, scan = scan_of(condition)
    settings, _ = settings_of(key, StudyDesign.for_profile("laptop"), scan)
    field, lengths = LENGTHS[key]
    out: list[tuple[int, float, float]] = []
    for n in lengths:
        changed = {field: n} | ONE_RUN[key]
        result = arm(key).reconstruct(scan, settings.model_copy(update=changed), SEEDS)
        out.append((n, result.seconds, by_truth(result.object, source, scan)["phase"] or 0.0))
        print(*condition, key, *out[-1], flush=True)
        if out[-1][2] >= QUALITIES[-1]:
            break
    return out


def main() -> None:
    """Write the page."""
    lines = [
        "# Seconds to a quality", "",
        "Written by `make seconds`: one thread, training half of the sample that options are chosen on, settings as",
        "chosen by counts but for the number of iterations. Seconds of the shortest run that reaches the phase",
        "MS-SSIM.",
        "", "| condition | arm | " + " | ".join(map(str, QUALITIES)) + " | best of all lengths |", "|---" * 6 + "|",
    ]  # fmt: skip
    for condition in CONDITIONS:
        for key in LENGTHS:
            points = curve(key, condition)
            first = [next((f"{s:.1f}" for _, s, q in points if q >= wanted), "-") for wanted in QUALITIES]
            best = max(points, key=lambda p: p[2])
            cells = [f"{condition[2]:,} {condition[3]}", arm(key).name, *first, f"{best[2]:.3f} in {best[1]:.0f} s"]
            lines.append("| " + " | ".join(cells) + " |")
    write_text(PAGE, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

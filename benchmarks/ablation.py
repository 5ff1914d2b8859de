"""What each part of PtychoPINN brings: `make ablation`, to docs/ablation.md.

One setting is changed at a time from what the counts chose for the condition. Samples have seeds of their own, those
that options are chosen on. Each network learns from 80 % of the counts of the training half and reconstructs 80 % of
those of the other half; a tenth of the counts, to which nothing was fitted, judges. The truth is read for the last
columns only.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.selection import DESIGN, Condition, by_truth, fitted_share, half_of, run_with
from studylib.arms.registry import arm, settings_of
from studylib.io.files import write_text
from studylib.judge.consistency import Gain, pattern_losses
from studylib.machine import processor

PAGE = Path(__file__).resolve().parents[1] / "docs/ablation.md"
CONDITIONS: list[Condition] = [
    ("leaves", "zone-plate", 1_000, "dense"), ("leaves", "zone-plate", 1_000, "sparse"),
    ("leaves", "zone-plate", 100_000, "dense"),
]  # fmt: skip
CHOSEN = "as the counts chose"


def rows(chosen: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is changed from the chosen settings, by the words of its row."""
    skips, updates = chosen.get("skips", False), chosen.get("updates", 0)
    return {
        CHOSEN: {},
        "single patterns instead of groups of four": {"grouping": {"gridsize": 1}},
        "without mirror images of the patterns": {"use_symmetries": False},
        "without skip connections" if skips else "with skip connections": {"skips": not skips},
        "without updates of the group's object" if updates else "30 updates of the group's object": {
            "updates": 0 if updates else 30
        },
        "half as many steps": {"steps": 600},
        "twice as many steps": {"steps": 2_400},
        "64 feature maps instead of 32": {"width": 64},
    }


def measure(
    condition: Condition,
) -> list[tuple[str, np.ndarray, dict[str, float | None], dict[str, float | None], float]]:
    """Return words, losses of the judging share, MS-SSIM, mean absolute error and seconds of every row."""
    chosen = arm("pinn")
    (source, part), run = fitted_share(condition, half_of(chosen)), run_with(chosen, condition)
    usual = settings_of("pinn", DESIGN, part)[0].model_dump(exclude_unset=True)
    found = []
    for words, change in rows(usual).items():
        begin = time.perf_counter()
        image = run(usual | change, part)
        seconds = time.perf_counter() - begin
        told = by_truth(image, source, part), by_truth(image, source, part, "mae")
        found.append((words, pattern_losses(image, part), *told, seconds))
        print(*condition, words, told, f"{seconds:.0f} s", flush=True)
    return found


def table(condition: Condition) -> list[str]:
    """Return the lines of one condition; gains are over the first row, positive when the change explains more."""
    sample, probe, dose, view = condition
    found = measure(condition)
    lines = [
        f"## {sample}, {probe}, {dose:,} photons per pattern, {view}", "",
        "| change | gain, nats per pattern | phase MS-SSIM | phase MAE, rad | amplitude MS-SSIM | s |",
        "|---" * 6 + "|",
    ]  # fmt: skip
    for words, losses, similarity, error, seconds in found:
        gain = Gain.of(found[0][1] - losses)
        told = "-" if words == CHOSEN else f"{gain.per_pattern:+.3f} ± {gain.standard_error:.3f}"
        scores = f"{similarity['phase']:.3f} | {error['phase']:.4f} | {similarity['amplitude']:.3f}"
        lines.append(f"| {words} | {told} | {scores} | {seconds:.0f} |")
    return [*lines, ""]


def main() -> None:
    """Write the page."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    head = [
        "# What each part of PtychoPINN brings", "",
        f"Written by `make ablation`: {processor()}, one thread. One setting is changed at a time from what the counts",
        "chose. The samples have seeds of their own. *Gain*: by how much the change explains a tenth of the counts, to",
        "which nothing was fitted, better than the first row does (Poisson likelihood, with its standard error). *s*:",
        "training and reconstruction.", "",
    ]  # fmt: skip
    write_text(PAGE, "\n".join(head + [line for condition in CONDITIONS for line in table(condition)]))


if __name__ == "__main__":
    main()

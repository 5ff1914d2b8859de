"""Seconds to a given phase MS-SSIM, every arm in one run: `make seconds`; to docs/seconds.md.

All run on one thread, one after the other, on another sample than the study's: trained on its training half,
reconstructing its test half. An arm is run with growing numbers of iterations or steps, each time from the start, since
its schedule depends on their number; what counts is the wall time of the first run that reaches the quality, with the
arms that it starts from.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.selection import DESIGN, SEEDS, Condition, by_truth, scan_of
from studylib.arms.base import Image
from studylib.arms.registry import arm, settings_of, train
from studylib.io.files import write_text
from studylib.machine import processor
from studylib.physics.windows import extract

PAGE = Path(__file__).resolve().parents[1] / "docs/seconds.md"
QUALITIES = (0.8, 0.9, 0.95)
CONDITIONS: list[Condition] = [("leaves", "zone-plate", dose, "dense") for dose in (1_000, 10_000)]
LENGTHS: dict[str, tuple[str, tuple[int, ...]]] = {
    "map": ("iterations", (10, 15, 20, 30, 45, 70, 100, 150)),
    "ptychi": ("epochs", (3, 5, 8, 12, 20, 30, 50, 80)),
    "pinn": ("steps", (150, 300, 600, 1_200)),
    "baseline": ("steps", (200, 425, 850, 1_700)),
    "pinn_map": ("iterations", (10, 20, 45, 100)),
    "unrolled": ("steps", (200, 500, 1_000, 1_500)),
}
ONE_RUN: dict[str, dict[str, Any]] = {"map": {"rounds": 1}, "ptychi": {"first_epochs": 0}, "pinn_map": {"rounds": 1}}
"""What makes the length of a run that number alone."""


@dataclass(frozen=True)
class Point:
    """A run: its length, seconds of all trainings and of all reconstructions, phase MS-SSIM."""

    length: int
    training: float
    seconds: float
    quality: float


def run(key: str, condition: Condition, changed: dict[str, Any]) -> tuple[float, float, Image]:
    """Return seconds of training and of reconstruction, and the image, with some settings changed."""
    chosen, (source, scan), (_, training) = arm(key), scan_of(condition, "test"), scan_of(condition, arm(key).trains_on)
    settings = settings_of(key, DESIGN, training if chosen.trains else scan)[0].model_copy(update=changed)
    before = {k: started(k, condition) for k in chosen.after}
    trained, begin = None, time.perf_counter()
    if chosen.trains:
        patches = extract(source.object, training.positions, training.n_pixels) if chosen.needs_truth else None
        trained = train(key, training, patches, settings, DESIGN, SEEDS).network
    middle = time.perf_counter()
    starts = ({k: image for k, (_, _, image) in before.items()},) if before else ()
    image = chosen.reconstruct(scan, settings, SEEDS, trained, *starts).object
    spent = sum(t for t, _, _ in before.values()), sum(s for _, s, _ in before.values())
    return spent[0] + middle - begin, spent[1] + time.perf_counter() - middle, image


@cache
def started(key: str, condition: Condition) -> tuple[float, float, Image]:
    """Return the run of an arm that another starts from, as a study runs it."""
    return run(key, condition, {})


def curve(key: str, condition: Condition) -> list[Point]:
    """Return runs of growing length, up to one that has the best quality."""
    field, lengths = LENGTHS[key]
    out: list[Point] = []
    for n in lengths:
        training, seconds, image = run(key, condition, {field: n} | ONE_RUN.get(key, {}))
        out.append(Point(n, training, seconds, by_truth(image, *scan_of(condition, "test"))["phase"] or 0.0))
        print(*condition, key, out[-1], flush=True)
        if out[-1].quality >= QUALITIES[-1]:
            break
    return out


def cell(points: list[Point], wanted: float) -> str:
    """Return the seconds of the shortest run that reaches a quality, those of its reconstruction in brackets."""
    first = next((p for p in points if p.quality >= wanted), None)
    if first is None:
        return "-"
    return f"{first.training + first.seconds:.1f}" + (f" ({first.seconds:.1f})" if first.training else "")


def page(curves: dict[tuple[Condition, str], list[Point]]) -> str:
    """Return docs/seconds.md."""
    lines = [
        "# Seconds to a quality", "",
        f"Written by `make seconds`: {processor()}, one thread, the sample that options are chosen on, trained on its",
        "training half, reconstructed on its test half; settings as chosen by counts but for the number of iterations",
        "or steps. Seconds of the shortest run that reaches the phase MS-SSIM, with those of the arms that it starts",
        "from; in brackets without training. `-`: no length reaches it.", "",
        "| condition | arm | " + " | ".join(map(str, QUALITIES)) + " | best of all lengths |", "|---" * 6 + "|",
    ]  # fmt: skip
    for (condition, key), points in curves.items():
        best = max(points, key=lambda p: p.quality)
        first = [cell(points, wanted) for wanted in QUALITIES]
        told = f"{best.quality:.3f} in {best.training + best.seconds:.0f} s"
        lines.append("| " + " | ".join([f"{condition[2]:,} {condition[3]}", arm(key).name, *first, told]) + " |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", nargs="+", default=list(LENGTHS))
    options = parser.parse_args()
    write_text(PAGE, page({(c, key): curve(key, c) for c in CONDITIONS for key in options.arms}))


if __name__ == "__main__":
    main()

"""Settings of one arm side by side, in one condition of the samples that options are chosen on.

    python -m benchmarks.tried map thick zone-plate 1000 dense '{"coarse": []}' '{}'
    python -m benchmarks.tried unrolled leaves zone-plate 1000 dense '{"steps": 600}' '{"width": 24}'
    python -m benchmarks.tried unrolled thick zone-plate 1000 dense '{}' --on train

Each is fitted to 80 % of the counts, as `make selection` does it; a network learns from the half that its arm names, or
from that of `--on`.
Prints, over the first: the gain on a tenth of the counts that nobody was fitted to, nats per pattern; and what the
truth says, which chooses nothing. For an arm that corrects an image of another, the first row is that image. The seeds
are not those of the study, so that nothing is looked at on its test half.
"""

from __future__ import annotations

import argparse
import json
import os
import time

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.selection import DESIGN, by_truth, fitted_share, half_of, run_with
from studylib.arms.registry import arm, images_for, settings_of
from studylib.design import SPLITS
from studylib.judge.consistency import Gain, pattern_losses


def main() -> None:
    """Fit every settings and print a row of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("arm", "sample", "probe"):
        parser.add_argument(name)
    parser.add_argument("dose", type=int)
    parser.add_argument("view")
    parser.add_argument("settings", nargs="+", help="JSON; over what was chosen for the nearest condition")
    parser.add_argument("--from-truth", action="store_true", help="MAP: the last settings once more, from the truth")
    parser.add_argument("--on", choices=SPLITS, default="", help="half that a network learns from; the arm's own")
    given = parser.parse_args()
    chosen, condition = arm(given.arm), (given.sample, given.probe, given.dose, given.view)
    source, part = fitted_share(condition, half_of(chosen))
    usual = settings_of(given.arm, DESIGN, part)[0].model_dump(exclude_unset=True)
    run, first = run_with(chosen, condition, given.on), None

    def show(name: str, image: np.ndarray, seconds: float) -> None:
        nonlocal first
        losses = pattern_losses(image, part)
        first = losses if first is None else first
        gain = Gain.of(first - losses)
        scores = [
            f"{channel} {value:.4f}, {by_truth(image, source, part, 'mae')[channel]:.4f}"
            for channel, value in by_truth(image, source, part).items()
            if value is not None
        ]
        told = f"{gain.per_pattern:+.4f} +- {gain.standard_error:.4f} | {' | '.join(scores)} | {seconds:.0f} s"
        print(f"{name} | {told}", flush=True)

    print("settings | gain | MS-SSIM and mean absolute error of each channel | seconds")
    show("constant", np.full(part.shape, part.best_constant(), np.complex64), 0.0)
    first = None
    for key in chosen.after:
        begin = time.perf_counter()
        image = images_for(given.arm, DESIGN)(part)[key]
        show(arm(key).name, image, time.perf_counter() - begin)
    for words in given.settings:
        begin = time.perf_counter()
        show(words, run(usual | json.loads(words), part), time.perf_counter() - begin)
    if given.from_truth:
        settings = chosen.settings(**(usual | json.loads(given.settings[-1])))
        starts = {"truth": source.object.astype(np.complex64)}
        show("from the truth", chosen.reconstruct(part, settings, DESIGN.seeds, None, starts).object, 0.0)


if __name__ == "__main__":
    main()

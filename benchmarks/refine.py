"""Seconds to a given quality, without truth on the way: `make refine`.

Three ways to the image of one half: LSQML from a flat object, LSQML from PtychoPINN's image, PtychoPINN trained on, on
the patterns themselves. Scored on the second half of the ablation's sample; writes docs/refine.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ablation import DESIGN, halves, scores

from studylib.arms.ptychi import iterate
from studylib.learn.predict import reconstruct
from studylib.learn.train import adapt_pinn, train_pinn

LEVELS = (0.80, 0.85, 0.88, 0.90, 0.92)
EPOCHS = (5, 10, 20, 40, 100)
ADAPTING = (2, 5, 10)
"""Epochs of PtychoPINN+adapt, ten times as long as those of LSQML."""
Curve = list[tuple[int, float, float]]
"""Epochs, seconds, phase MS-SSIM."""


def curve(run: Callable[[int], tuple[np.ndarray, float]], epochs: tuple[int, ...], truth, scan) -> Curve:
    """Return the quality reached after each number of epochs, each from the start."""
    out = []
    for number in epochs:
        image, seconds = run(number)
        out.append((number, seconds, scores(image, truth, scan, seconds)["phase ms_ssim"]))
        print(out[-1], flush=True)
    return out


def reached(found: Curve, level: float) -> str:
    """Return the seconds after which a level was first passed."""
    return next((f"{seconds:.0f}" for _, seconds, value in found if value >= level), "never")


def main() -> None:
    """Measure the three and write the page."""
    truth, scans = halves()
    scan, seeds = scans["test"], DESIGN.seeds
    trained = train_pinn(scans["train"], DESIGN.grouping, DESIGN.pinn, seeds.training, seeds.grouping)
    start = time.perf_counter()
    first = reconstruct(trained.network, scan, DESIGN.grouping, seeds.grouping)
    predicted = time.perf_counter() - start
    weights = trained.network.get_weights()

    def lsqml(epochs: int, image: np.ndarray | None = None) -> tuple[np.ndarray, float]:
        settings = DESIGN.iteration.model_copy(update={"epochs": epochs})
        result = iterate(scan, settings, seeds.iteration, "LSQML", image)
        return result.object, result.seconds

    def refined(epochs: int) -> tuple[np.ndarray, float]:
        image, seconds = lsqml(epochs, first)
        return image, seconds + predicted

    def adapted(epochs: int) -> tuple[np.ndarray, float]:
        trained.network.set_weights(weights)
        result = adapt_pinn(trained.network, scan, DESIGN.grouping, DESIGN.pinn, seeds, epochs)
        return result.object, result.seconds

    ways = {
        "PtychoPINN+adapt": (adapted, ADAPTING),
        "PtyChi": (lsqml, EPOCHS),
        "PtyChi from PtychoPINN": (refined, EPOCHS),
    }
    curves = {name: curve(run, epochs, truth, scan) for name, (run, epochs) in ways.items()}
    rule = "|---" * (len(LEVELS) + 1) + "|"
    told = scores(first, truth, scan, predicted)["phase ms_ssim"]
    lines = [
        "# Refinement without truth", "",
        "`make refine`: 1000 photons, dense view, laptop profile, the second half of the ablation's sample. Seconds of",
        f"reconstruction; PtychoPINN was trained for {trained.seconds:.0f} s before, and its image alone has phase",
        f"MS-SSIM {told:.3f} after {predicted:.1f} s. Written by the command.", "",
        "| seconds to phase MS-SSIM | " + " | ".join(f"{v:.2f}" for v in LEVELS) + " |", rule,
        *(f"| {n} | " + " | ".join(reached(c, v) for v in LEVELS) + " |" for n, c in curves.items()), "",
        "| | epochs: seconds, phase MS-SSIM |", "|---|---|",
        *(f"| {n} | " + "; ".join(f"{e}: {t:.0f} s, {v:.3f}" for e, t, v in c) + " |" for n, c in curves.items()),
    ]  # fmt: skip
    (Path(__file__).resolve().parent.parent / "docs/refine.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

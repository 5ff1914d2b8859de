"""How far every arm is from what the photons allow: `make limits`, to docs/limits.md.

The bound of Cramer and Rao and the error of Wiener's estimator on the test half of the published study of leaves and
zone plate, beside the errors of its arms (docs/response/leaves.json).
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from studylib.arms.registry import arm
from studylib.condition import simulate_halves, thin_to_view
from studylib.design import DOSES, VIEWS, StudyDesign
from studylib.io.files import write_text
from studylib.judge import scores
from studylib.judge.compare import CONSTANT
from studylib.judge.limit import MEAN_OF_NORMAL, limit_of
from studylib.physics.limit import Spectrum
from studylib.samples import built_in

DOCS = Path(__file__).resolve().parents[1] / "docs"
PUBLISHED, PAGE = DOCS / "response/leaves.json", DOCS / "limits.md"
ARMS = ("baseline", "pinn", "ptychi", "map", "pinn_map")


def limits(dose: int, view: str) -> dict[str, Any]:
    """Return what the photons of a condition allow in the box that arms are scored in; Wiener's error by even light."""
    design = StudyDesign.for_profile("laptop")
    source = built_in(design.sample, design.seeds)
    half = simulate_halves(source, design.sample, dose, design.seeds.simulation)["test"]
    scan = thin_to_view(half, view, design.seeds.subsampling)[0]
    begin = time.perf_counter()
    phase = np.angle(source.object)
    told = limit_of(source.object, phase, scan, design.seeds.simulation, draws=4).report()
    seconds = time.perf_counter() - begin
    box = scores.region_of(scan)[1].box.slices
    power = Spectrum.of(np.log(np.abs(source.object)) + 1j * phase, box, scan.shape).phase
    even = MEAN_OF_NORMAL * float(np.sqrt(np.mean(power / (1 + 2 * told["photons_per_pixel"] * power))))
    return told | {"stationary": even, "seconds": seconds}


def page(rows: list[dict[str, Any]], errors: dict[tuple[int, str, str], float]) -> str:
    """Return docs/limits.md."""
    names = [CONSTANT, *(arm(key).name for key in ARMS)]
    lines = [
        "# The limit that photons set", "",
        "Written by `make limits`: leaves and zone plate, test half, laptop profile. Errors are mean absolute errors",
        "of the phase in rad, in the box that arms are scored in. *Bound* is that of Cramer and Rao: no unbiased",
        "estimator does better. One with a prior may: the prior tells what the photons do not. *Diagonal*",
        "is 1 / sqrt(2 n) of the pixel's own n photons, which a probe reaches that is diverse enough. *Wiener* is the",
        "best linear estimator, which knows the power spectrum of the object and nothing else; *even light* is the",
        "same by its formula for light that is even and a phase that is told apart from the amplitude. An arm with a",
        "prior that suits the object better than its spectrum does may be better still. *FRC50* is where an unbiased",
        "image would fall below 0.5, as a fraction of Nyquist. At about one photon per pixel the bound is beyond its",
        "own linearisation: it is above what a constant image has.", "",
        "| photons per pattern | overlap | n | bound | diagonal | Wiener | even light | amplitude: bound | FRC50 | s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {r['dose']:,} | {r['view']} | {r['photons_per_pixel']:.3g} | {r['phase_bound']:.3f} | "
        f"{r['phase_diagonal']:.3f} | {r['phase_wiener']:.4f} | "
        f"{r['stationary']:.4f} | {r['amplitude_bound']:.3f} | {r['frc50']:.2f} | {r['seconds']:.0f} |"
        for r in rows
    ]
    lines += [
        "", "How many times Wiener's error an arm has, on the photons of the same replicate (an arm below 1 knows more",
        "of the object than its spectrum); *constant* is the best constant image:", "",
        "| photons per pattern | overlap | " + " | ".join(names) + " |", "|---" * (2 + len(names)) + "|",
    ]  # fmt: skip
    for r in rows:
        cells = [f"{errors[r['dose'], r['view'], name] / r['phase_wiener']:.2f}" for name in names]
        lines.append(f"| {r['dose']:,} | {r['view']} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Compute and write."""
    told = json.loads(PUBLISHED.read_text(encoding="utf-8"))["rows"]
    errors = {(r["dose"], r["view"], r["arm"]): r["phase_mae"] for r in told if r["replicate"] == 0}
    rows = []
    for dose in DOSES:
        for view in VIEWS:
            rows.append({"dose": dose, "view": view} | limits(dose, view))
            print({k: v if isinstance(v, str) else round(float(v), 4) for k, v in rows[-1].items()}, flush=True)
    write_text(PAGE, page(rows, errors))


if __name__ == "__main__":
    main()

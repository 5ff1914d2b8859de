"""Options of every arm, chosen by split counts: `make selection`.

Adds to studylib/arms/choices.json the conditions that it lacks, one at a time, and writes docs/selection.md. The
samples are made with seeds of their own, so that nothing is chosen on the test half of the study. The truth is read
only to tell the regret: how much better the best candidate would have been than the one that the counts chose. With
`--again`, rows that are there are gone over: what was chosen is fitted once more, beside the candidates that are new.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from studylib.arms.base import Arm
from studylib.arms.choices import TABLE
from studylib.arms.registry import arm, images_for
from studylib.condition import simulate_halves, thin_to_view
from studylib.design import DOSES, VIEWS, Seeds, StudyDesign
from studylib.io.files import write_json, write_text
from studylib.judge import register, scores
from studylib.judge.select import SHARES, Choice, choose
from studylib.physics.split import share_of, split_counts
from studylib.physics.windows import extract
from studylib.samples import Sample, built_in
from studylib.scan import Scan

PAGE = Path(__file__).resolve().parents[1] / "docs/selection.md"
DESIGN = StudyDesign.for_profile("laptop")
SEEDS = Seeds(sample=1041, simulation=1042)
SPLIT_SEED = 5
MAIN = [("leaves", "zone-plate", dose, view) for dose in DOSES for view in VIEWS]
OTHERS = [("natural", probe, dose, "dense") for probe in ("smooth", "diffuser") for dose in (1_000, 100_000)]


Condition = tuple[str, str, int, str]
"""Sample, probe, photons per pattern, view."""


def scan_of(condition: Condition, half: str = "train") -> tuple[Sample, Scan]:
    """Return the sample and one half of a condition."""
    sample, probe, dose, view = condition
    source = built_in(DESIGN.sample, SEEDS, sample, probe)
    scan = simulate_halves(source, DESIGN.sample, dose, SEEDS.simulation)[half]
    return source, thin_to_view(scan, view, DESIGN.seeds.subsampling)[0]


def fitted_share(condition: Condition, half: str) -> tuple[Sample, Scan]:
    """Return the sample and one half of a condition with the share of its counts that arms are fitted to."""
    source, scan = scan_of(condition, half)
    fit, held, _ = split_counts(scan.counts.astype(np.int64), SHARES, np.random.default_rng(SPLIT_SEED))
    return source, share_of(scan, fit, SHARES[0], held, SHARES[1])


def half_of(chosen: Arm) -> str:
    """Return the half on which an arm is chosen: for one that trains on the training half, the other one.

    On its own training half a network is rewarded for what it remembers. An arm that learns from the scan that it is to
    reconstruct is chosen on that scan, as it is used: by a share of the counts that no part of it has seen.
    """
    return "test" if chosen.trains else "train"


def by_truth(image: np.ndarray, source: Sample, scan: Scan, metric: str = "ms_ssim") -> dict[str, float | None]:
    """Return a metric of both channels."""
    light, region = scores.region_of(scan)
    box = region.box.slices
    truth = source.object[box]
    phase = np.angle(truth) if source.phase is None else source.phase[box]
    turned = register.apply_gauge(image[box], register.fit_gauge(image[box], truth, light[box]))
    told, _ = scores.score_image(turned, truth, DESIGN.ms_ssim_sigma, phase)
    return {channel: told[channel][metric] for channel in told}


def run_with(chosen: Arm, condition: Condition, on: str = ""):
    """Return the function that fits a share of the counts with an arm; one that trains does so on its half, or `on`."""

    images = remembered(images_for(chosen.key, DESIGN)) if chosen.after else None

    @cache
    def training_share() -> tuple[Sample, Scan]:
        return fitted_share(condition, on or chosen.trains_on)

    def run(settings: dict[str, Any], part: Scan) -> np.ndarray:
        full = chosen.settings(**settings)
        trained = None
        if chosen.trains:
            source, training = training_share()
            patches = None
            if chosen.needs_truth:
                patches = extract(source.object, training.positions, training.n_pixels)
            more = {"images": images} if images else {}
            trained = chosen.train(training, patches, full, SEEDS, **more).network
        return chosen.reconstruct(part, full, SEEDS, trained, *([images(part)] if images else [])).object

    return run


def remembered(images: Callable[[Scan], dict[str, np.ndarray]]) -> Callable[[Scan], dict[str, np.ndarray]]:
    """Return the same function, which makes the images of the same counts only once."""
    made: dict[bytes, dict[str, np.ndarray]] = {}

    def again(scan: Scan) -> dict[str, np.ndarray]:
        name = hashlib.sha256(np.ascontiguousarray(scan.diffraction).tobytes()).digest()
        made[name] = made.get(name) or images(scan)
        return made[name]

    return again


def proposals(chosen: Arm, before: dict[str, Any] | None):
    """Return what proposes the candidates: the arm's, or beside what was chosen before those that are new."""
    if before is None:
        return chosen.candidates
    tried = [t["settings"] for t in before["tried"]]

    def propose(best: dict[str, Any] | None) -> list[dict[str, Any]]:
        return [before["settings"]] if best is None else [s for s in chosen.candidates(best) if s not in tried]

    return propose


def row(condition: tuple[str, str, int, str], half: str, source: Sample, scan: Scan, choice: Choice) -> dict[str, Any]:
    """Return a row of the table of choices."""
    sample, probe, dose, view = condition
    tried = [
        {
            "settings": t.settings, "loss": t.loss, "standard_error": t.standard_error, "seconds": round(t.seconds, 1),
            "ms_ssim_by_truth": by_truth(t.image, source, scan),
        }
        for t in choice.tried
    ]  # fmt: skip
    return {
        "sample": sample, "probe": probe, "n_pixels": scan.n_pixels, "dose": dose, "view": view,
        "half": half, "fluence": scan.fluence, "settings": choice.settings, "judged": choice.judged, "tried": tried,
    }  # fmt: skip


def where(row: dict[str, Any]) -> tuple[str, str, int, str, str]:
    """Return the condition of a row, and the half on which it was chosen."""
    return row["sample"], row["probe"], row["dose"], row["view"], row["half"]


def read() -> dict[str, list[dict[str, Any]]]:
    """Return the table so far."""
    return json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.is_file() else {}


def page(table: dict[str, list[dict[str, Any]]]) -> str:
    """Return docs/selection.md."""
    lines = [
        "# Options chosen by counts", "",
        "Written by `make selection`. The counts of a scan are split binomially into three independent shares: 80 %",
        "to fit, 10 % to choose, 10 % to judge. Every candidate is fitted to the first share; the plain Poisson",
        "likelihood of the second chooses; a run then fits all counts with the settings of the nearest condition (its",
        "sample and probe, its view, then the nearest fluence). The samples have seeds of their own. A network is",
        "chosen on the half of its sample that it was not trained on (*test*); where its row says *train*, the row is",
        "older than this rule, and flatters networks that remember. The truth is read for the last two columns only:",
        "the phase MS-SSIM of the chosen candidate, fitted to 80 % of the counts, and how much better the best",
        "candidate is (the regret).", "",
    ]  # fmt: skip
    for key, rows in table.items():
        lines += [f"## {arm(key).name}", ""]
        head = ("sample, probe", "photons per pattern", "view", "half", "fluence", "chosen", "candidates, seconds")
        lines += ["| " + " | ".join([*head, "MS-SSIM", "regret"]) + " |", "|---" * 9 + "|"]
        regrets = []
        for r in rows:
            truth = {json.dumps(t["settings"]): t["ms_ssim_by_truth"]["phase"] for t in r["tried"]}
            mine = truth[json.dumps(r["settings"])]
            regrets.append(max(truth.values()) - mine)
            told = ", ".join(f"{k} {v}" for k, v in r["settings"].items())
            seconds = sum(t["seconds"] for t in r["tried"])
            lines.append(
                f"| {r['sample']}, {r['probe']} | {r['dose']:,} | {r['view']} | {r['half']} | {r['fluence']:.3g} | "
                f"{told} | {len(r['tried'])}, {seconds:.0f} s | {mine:.3f} | {regrets[-1]:.3f} |"
            )
        lines += ["", f"Mean regret {np.mean(regrets):.3f}, largest {max(regrets):.3f}.", ""]
        lines += ["<details><summary>All candidates</summary>", ""]
        lines += ["| condition | settings | loss of the choosing share | MS-SSIM phase, amplitude by truth |"]
        lines += ["|---|---|---|---|"]
        for r in rows:
            for t in sorted(r["tried"], key=lambda t: t["loss"]):
                told = ", ".join(f"{k} {v}" for k, v in t["settings"].items())
                scored = [
                    "-" if v is None else f"{v:.3f}" for v in (t["ms_ssim_by_truth"][c] for c in ("phase", "amplitude"))
                ]
                lines.append(
                    f"| {r['sample']}, {r['probe']}, {r['dose']:,} {r['view']} | {told} | "
                    f"{t['loss']:.3f} ± {t['standard_error']:.3f} | {', '.join(scored)} |"
                )
        lines += ["", "</details>", ""]
    return "\n".join(lines)


def main() -> None:
    """Fill the table, a row at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", nargs="+", default=["map", "ptychi", "pinn", "baseline", "unrolled"])
    parser.add_argument("--conditions", choices=("main", "others", "all"), default="all")
    parser.add_argument("--doses", nargs="+", type=int, default=DOSES)
    parser.add_argument("--again", action="store_true", help="new candidates in rows that are there, and nothing else")
    options = parser.parse_args()
    conditions = {"main": MAIN, "others": OTHERS, "all": MAIN + OTHERS}[options.conditions]
    for condition in (c for c in conditions if c[2] in options.doses):
        for key in options.arms:
            half = half_of(arm(key))
            before = next((r for r in read().get(key, []) if where(r) == (*condition, half)), None)
            if (before is None) == options.again:
                continue
            source, scan = scan_of(condition, half)
            choice = choose(proposals(arm(key), before), run_with(arm(key), condition), scan, SPLIT_SEED)
            new = row(condition, half, source, scan, choice)
            again = [t["settings"] for t in new["tried"]]
            older = before["tried"] if before else []
            new["tried"] = [*(t for t in older if t["settings"] not in again), *new["tried"]]
            table = read()  # another process may have added rows
            others = [r for r in table.get(key, []) if where(r)[:4] != condition]
            table[key] = sorted([*others, new], key=lambda r: (MAIN + OTHERS).index(where(r)[:4]))
            write_json(TABLE, table)
            print(*condition, key, choice.settings, flush=True)
    write_text(PAGE, page(read()))


if __name__ == "__main__":
    main()

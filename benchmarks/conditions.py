"""Doses, views, samples and probes, scored: `make conditions`.

Runs the arms of the study on each condition in one process, scores the test half as the stages do, and adds a row for
each arm to docs/conditions.csv before the next condition begins, so that an interruption loses nothing. Writes
docs/conditions.md. Conditions that the table has are not run again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from studylib.arms.registry import arm, check_arms, settings_of, train, training_of
from studylib.condition import simulate_halves, thin_to_view
from studylib.design import DOSES, SAMPLES, VIEWS, StudyDesign
from studylib.io.files import read_table, write_table, write_text
from studylib.judge.compare import CONSTANT, Comparison, compare_arms
from studylib.physics.windows import extract
from studylib.reconstruction import Reconstruction
from studylib.run.provenance import git_state
from studylib.samples import Sample, built_in

DOCS = Path(__file__).resolve().parents[1] / "docs"
TABLE, PAGE = DOCS / "conditions.csv", DOCS / "conditions.md"
COLUMNS = (
    "sample", "probe", "dose", "view", "replicate", "arm", "status", "phase_ms_ssim", "phase_ms_ssim_raw", "phase_mae",
    "phase_ssim", "phase_frc50", "amplitude_ms_ssim", "amplitude_mae", "amplitude_frc50", "scale", "gain_per_pattern",
    "training_seconds", "seconds", "fluence", "least_light", "positions", "commit",
)  # fmt: skip
MAIN_ARMS = ("pinn", "baseline", "ptychi", "map", "pinn_map")
QUICK_ARMS = ("ptychi", "map")
Condition = tuple[str, str, int, str, int]
"""Sample, probe, dose, view and replicate."""


def conditions(replicates: int) -> Iterator[tuple[Condition, tuple[str, ...]]]:
    """Yield the conditions of the published tables and the arms of each."""
    for dose, view, replicate in product(DOSES, VIEWS, range(replicates)):
        yield ("leaves", "zone-plate", dose, view, replicate), MAIN_ARMS
    for sample, probe, dose in product(SAMPLES, ("zone-plate", "smooth"), (1_000, 100_000)):
        if (sample, probe) != ("leaves", "zone-plate"):
            nets = (sample, probe) == ("natural", "smooth")
            yield (sample, probe, dose, "dense", 0), MAIN_ARMS if nets else QUICK_ARMS


def run(condition: Condition, keys: tuple[str, ...]) -> tuple[Comparison, Sample, Any]:
    """Simulate a condition, run the arms and compare them on the test half."""
    sample, probe, dose, view, replicate = condition
    design = StudyDesign.for_profile("laptop", replicate)
    source = built_in(design.sample, design.seeds, sample, probe)
    halves = simulate_halves(source, design.sample, dose, design.seeds.simulation)
    halves = {s: thin_to_view(scan, view, design.seeds.subsampling)[0] for s, scan in halves.items()}
    results: dict[str, Reconstruction] = {}
    cost, trained = {}, {}
    for key in check_arms(keys):
        chosen, scan = arm(key), halves["test"]
        if chosen.trains:
            training = halves[chosen.trains_on]
            patches = extract(source.object, training.positions, scan.n_pixels) if chosen.needs_truth else None
            settings, _ = settings_of(key, design, training)
            trained[key] = train(key, training, patches, settings, design, design.seeds)
        settings, _ = settings_of(key, design, scan)
        network = trained[training_of(key)].network if training_of(key) else None
        starts = {k: results[k].object for k in chosen.after}
        results[key] = chosen.reconstruct(scan, settings, design.seeds, network, starts)
        before = {k: trained[k].seconds for k in {training_of(k) for k in (key, *chosen.after)} - {""}}
        cost[chosen.name] = {
            "training_seconds": sum(before.values()),
            "reconstruction_seconds": sum(results[k].seconds for k in (key, *chosen.after)),
            "peak_memory_mib": results[key].peak_memory_mib,
        }
    images = {arm(key).name: result.object for key, result in results.items()}
    return compare_arms(images, source.object, halves["test"], design, cost, source.phase), source, halves["test"]


def rows(condition: Condition, comparison: Comparison, scan: Any) -> list[dict[str, str]]:
    """Return a row for each arm, and one for the constant image."""
    table: dict[str, dict[str, dict[str, Any]]] = {}
    for r in comparison.rows:
        table.setdefault(r["model"], {})[r["metric"]] = r
    out = []
    for name, metrics in table.items():
        told = comparison.registration.get(name, {})
        cost = comparison.cost.get(name, {})
        status = comparison.status["arms"].get(name, {"status": "reference"})["status"]
        scored = {
            f"{channel}_{metric}": metrics[metric][channel]
            for channel in ("phase", "amplitude")
            for metric in ("ms_ssim", "ms_ssim_raw", "mae", "ssim", "frc50")
        }
        row = dict(zip(COLUMNS[:5], condition, strict=True)) | scored
        row |= {
            "arm": name, "status": status, "scale": told.get("scale"), "gain_per_pattern": told.get("gain_per_pattern"),
            "training_seconds": cost.get("training_seconds"), "seconds": cost.get("reconstruction_seconds"),
            "fluence": scan.fluence, "least_light": comparison.registration["box"]["least_share_of_the_mean"],
            "positions": len(scan.positions), "commit": (git_state()[0] or "none")[:10],
        }  # fmt: skip
        never = {c: "inf" for c in ("phase_frc50", "amplitude_frc50") if row[c] is None and row[c[:-5] + "ms_ssim"]}
        out.append({c: _text(row[c]) for c in COLUMNS} | never)
    return out


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


PIVOTS = (
    ("Phase MS-SSIM", "phase_ms_ssim", 3, max), ("Amplitude MS-SSIM", "amplitude_ms_ssim", 3, max),
    ("Mean absolute error of the phase, rad", "phase_mae", 4, min),
    ("FRC50 of the phase, as a fraction of Nyquist", "phase_frc50", 3, max),
)  # fmt: skip


def pivot(table: list[dict[str, str]], column: str, digits: int, best: Callable[..., float]) -> list[str]:
    """Return the table of one metric, conditions by arms; replicates are averaged, the best is bold."""
    names = [CONSTANT, *(arm(k).name for k in ("baseline", "pinn", "ptychi", "map", "pinn_map"))]
    groups: dict[tuple[str, ...], dict[str, list[dict[str, str]]]] = {}
    for r in table:
        key = r["sample"], r["probe"], r["dose"], r["view"]
        groups.setdefault(key, {}).setdefault(r["arm"], []).append(r)
    head = ["sample, probe", "photons per pattern", "overlap", "fluence", *names]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for (sample, probe, dose, view), rows in groups.items():
        values = {n: [float(r[column]) for r in rows.get(n, []) if r[column]] for n in names}
        means = {n: sum(v) / len(v) for n, v in values.items() if v}
        winner = best(means.values()) if means else None
        told = [_number(str(means.get(n, "")), digits) for n in names]
        told = [f"**{t}**" if n in means and means[n] == winner else t for n, t in zip(names, told, strict=True)]
        unfit = [n for n in names if any(r["status"] not in ("ok", "reference") for r in rows.get(n, []))]
        told = [f"{t} (!)" if n in unfit else t for n, t in zip(names, told, strict=True)]
        fluence = f"{float(next(iter(rows.values()))[0]['fluence']):.3g}"
        lines.append("| " + " | ".join([f"{sample}, {probe}", f"{int(dose):,}", view, fluence, *told]) + " |")
    return lines


def page(table: list[dict[str, str]]) -> str:
    """Return docs/conditions.md."""
    lines = [
        "# Every condition", "",
        "Test half, laptop profile, written by `make conditions` from docs/conditions.csv, which has more columns and",
        "the commit of each row. MS-SSIM after a blur of 1 px; the row *constant* is the best constant image, what an",
        "arm scores that learned nothing. Seconds are of one thread; training is counted apart. Fluence is in photons",
        "per object pixel, all patterns together; beside it the least fluence in the scored box, over the mean.",
        "A mark (!) means that the arm did not learn, or that its contrast is out of bounds. The best arm is bold.",
        "",
    ]  # fmt: skip
    for title, column, digits, best in PIVOTS:
        lines += [f"## {title}", "", *pivot(table, column, digits, best), ""]
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for r in table:
        groups.setdefault((r["sample"], r["probe"]), []).append(r)
    for (sample, probe), members in groups.items():
        lines += [f"## {sample}, {probe}", ""]
        head = (
            "photons per pattern", "view", "replicate", "fluence, least light", "arm", "phase MS-SSIM", "MAE", "FRC50",
            "amplitude MS-SSIM", "MAE", "scale", "training s", "s", "status",
        )  # fmt: skip
        lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for r in members:
            light = f"{float(r['fluence']):.3g}, {float(r['least_light']):.0%}"
            cells = [f"{int(r['dose']):,}", r["view"], r["replicate"], light, r["arm"]]
            cells += [_number(r[c], 3) for c in ("phase_ms_ssim",)] + [_number(r["phase_mae"], 4)]
            cells += [_number(r["phase_frc50"], 3), _number(r["amplitude_ms_ssim"], 3), _number(r["amplitude_mae"], 4)]
            cells += [_number(r["scale"], 3), _number(r["training_seconds"], 0), _number(r["seconds"], 0)]
            lines.append("| " + " | ".join([*cells, r["status"]]) + " |")
        lines.append("")
    return "\n".join(lines)


def _number(text: str, digits: int) -> str:
    if text == "inf":
        return "> 1"  # the ring correlation stays above 0.5 up to Nyquist
    return f"{float(text):.{digits}f}" if text else "-"


def order(row: dict[str, str]) -> tuple[int, int, int, int, int]:
    """Return where a row stands in the table, whenever it was measured."""
    probe = ("zone-plate", "smooth").index(row["probe"])
    return SAMPLES.index(row["sample"]), probe, int(row["dose"]), [*VIEWS].index(row["view"]), int(row["replicate"])


def main() -> None:
    """Fill the table, a condition at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=1)
    parser.add_argument(
        "--part", default="1/1", help="k/n: every n-th condition from the k-th on, for runs side by side"
    )
    options = parser.parse_args()
    first, step = (int(n) for n in options.part.split("/"))
    for number, (condition, keys) in enumerate(conditions(options.replicates), start=1):
        if number % step != first % step:
            continue
        done = {tuple(r[c] for c in COLUMNS[:6]) for r in read_table(TABLE)}
        names = [arm(k).name for k in check_arms(keys)] + [CONSTANT]
        if all((*map(str, condition), name) in done for name in names):
            continue
        print("condition", *condition, flush=True)
        comparison, _, scan = run(condition, keys)
        table = read_table(TABLE)
        kept = [r for r in table if tuple(r[c] for c in COLUMNS[:5]) != tuple(map(str, condition))]
        write_table(TABLE, sorted([*kept, *rows(condition, comparison, scan)], key=order))
    write_text(PAGE, page(read_table(TABLE)))
    print(f"wrote docs/{PAGE.name}: {len(read_table(TABLE))} rows")


if __name__ == "__main__":
    main()

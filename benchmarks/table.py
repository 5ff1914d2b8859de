"""From benchmarks/results.json to docs/speed.md: rates, ceilings, growth."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
UNITS = {
    "patterns_per_second": "patterns/s", "positions_per_second": "positions/s", "gflops": "GFLOP/s",
    "gigabytes_per_second": "GB/s",
}  # fmt: skip
ORIGINAL = {
    "simulation": "58-129", "grouping_512_patterns": "142 (3.6 s)", "training_pinn[1-": "24", "training_pinn[2-": "68",
    "training_baseline": "13", "prediction[1-": "50-111", "prediction[2-": "400",
}  # fmt: skip
"""Patterns a second of the original study's code on 2 cores."""
STAGES = ("grouping", "thinning", "overlap_metrics")
MFLOP_PER_STEP = 3 * 82
"""Of the network and one pattern: 41 million multiplications forward, twice that backward."""


def _rows(results: dict) -> dict[str, dict]:
    return {b["name"].removeprefix("test_"): b for b in results["benchmarks"]}


def _rate(row: dict) -> tuple[float, str] | None:
    return next(((row["extra_info"][key], unit) for key, unit in UNITS.items() if key in row["extra_info"]), None)


def _ceiling(name: str, rows: dict[str, dict]) -> str:
    """Return the share of what the processor can do, where a ceiling bounds the stage."""
    rate = _rate(rows[name])
    if name == "simulation":
        # One transform and one draw a pattern, one after the other.
        fft, poisson = (rows[f"ceiling_{c}"]["extra_info"]["patterns_per_second"] for c in ("fft", "poisson"))
        return f"{rate[0] * (1 / fft + 1 / poisson):.0%} of FFT and Poisson draws"
    if re.match(r"training|steps|prediction", name):
        kind = "float32" if "float32" in name else "bfloat16"
        peak = rows[f"ceiling_convolution[{kind}]"]["extra_info"]["gflops"]
        work = MFLOP_PER_STEP / 3 if name.startswith("prediction") else MFLOP_PER_STEP
        return f"{rate[0] * work / 1000 / peak:.0%} of {kind} convolution"
    return ""


def growth(rows: dict[str, dict], stage: str) -> float:
    """Return the exponent of time against the number of positions, fitted from 1e3 to 1e5."""
    found = {int(m[1]): r for n, r in rows.items() if (m := re.fullmatch(rf"growth_{stage}\[(\d+)\]", n))}
    times = [found[n]["stats"]["median"] for n in sorted(found)]
    return float(np.polyfit(np.log(sorted(found)), np.log(times), 1)[0])


def page(results: dict) -> str:
    """Return docs/speed.md."""
    rows, machine = _rows(results), results["machine_info"]
    cpu = machine["cpu"]
    where = (
        f"{cpu.get('brand_raw', machine['processor'])}, {cpu.get('count')} cores, Python {machine['python_version']}"
    )
    lines = [
        "# Speed", "",
        f"`make bench`, medians of one run on {where}. Written by the command; do not edit.",
        "The original's figures are of its own code on 2 cores. Peak memory is of the whole process.", "",
        "| stage | median | rate | original | of the ceiling | peak MiB |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, row in rows.items():
        rate = _rate(row)
        told = f"{rate[0]:,.0f} {rate[1]}" if rate else ""
        before = next((v for k, v in ORIGINAL.items() if name.startswith(k)), "")
        seconds = row["stats"]["median"]
        time = f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.2f} ms"
        cells = (name.replace("_", " "), time, told, before, _ceiling(name, rows), row["extra_info"]["peak_memory_mib"])
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines.append("")
    exponents = (f"{stage.replace('_', ' ')} {growth(rows, stage):.2f}" for stage in STAGES)
    lines += [f"Growth from 1e3 to 1e5 positions, time ~ n^a: {', '.join(exponents)} (n log n: 1.11)."]
    return "\n".join(lines) + "\n"


def study(told: dict) -> str:
    """Return what one graph is worth to a study."""
    words = {
        "planned": "in the plan (dry run)", "ran": "the first time", "again": "at once again",
        "touched": "after a data set was touched", "changed": "after one byte of it was changed",
    }  # fmt: skip
    kinds = sorted({kind for key in words for kind in told[key]})
    lines = [
        "", "## One graph", "",
        f"`make study-speed`: smoke, {told['conditions']} conditions (two doses, views and replicates), all usual",
        f"arms, two cores of {told['processor']}, one run, commit {(told['commit'] or 'none')[:10]}.", "",
        "| stages | " + " | ".join(kinds) + " | all |", "|---" * (len(kinds) + 2) + "|",
    ]  # fmt: skip
    for key, text in words.items():
        counts = [told[key].get(kind, 0) for kind in kinds]
        lines.append("| " + " | ".join([text, *(str(c or "-") for c in counts), str(sum(counts))]) + " |")
    lines += [
        "",
        "What conditions share, the design of a replicate and the photons of a dose, is made once; the first time",
        "counts it again in the folder of each condition, where it is only recorded.",
        "",
        "What ran after the byte was changed: " + ", ".join(f"`{s}`" for s in told["changed_stages"]) + ".",
        "",
    ]
    study_s, again_s, alone_s = (told[f"{k}_seconds"] for k in ("study", "again", "one_after_the_other"))
    lines.append(
        f"The study takes {study_s:.0f} s, at once again {again_s:.0f} s; the same conditions one by one, each"
    )
    lines.append(f"with two cores, {alone_s:.0f} s: {told['ratio']:.2f} times.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = page(json.loads((HERE / "results.json").read_text(encoding="utf-8")))
    if (HERE / "study_speed.json").is_file():
        text += study(json.loads((HERE / "study_speed.json").read_text(encoding="utf-8")))
    (HERE.parent / "docs/speed.md").write_text(text, encoding="utf-8")
    print(text)

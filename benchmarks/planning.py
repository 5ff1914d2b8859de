"""How far plans are off: `make planning`, to docs/planning.md.

What the planner expects of every arm on every other built-in object and probe, by factors of leaves under the zone
plate, beside what `make response` measured there (docs/response/samples).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from studylib import planner
from studylib.design import PROBES, SAMPLES
from studylib.evidence.response_tables import order
from studylib.experiment import allowed
from studylib.io.files import write_text
from studylib.judge.planning import expected, reached
from studylib.judge.target import Target
from studylib.plan_command import experiment_of

DOCS = Path(__file__).resolve().parents[1] / "docs"
LIKE = ("leaves", "zone-plate")
TARGET = Target("mae", 0.1)
"""Its value does not enter."""


def measured(sample: str) -> dict[tuple[str, int, str], float]:
    """Return the phase MAE of a sample's conditions with dense overlap, by probe, dose and arm."""
    rows = json.loads((DOCS / f"response/samples/{sample}.json").read_text(encoding="utf-8"))["rows"]
    return {
        (r["probe"], r["dose"], r["arm"]): r["phase_mae"] for r in rows if r["view"] == "dense" and r["status"] == "ok"
    }


def compare(response: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what was expected of every arm and what it had, a row each."""
    found = {arm: of for (arm, view), of in reached(response, TARGET, LIKE).items() if view == "dense"}
    rows = []
    for sample in SAMPLES:
        had = measured(sample)
        for probe in (p for p in PROBES if (sample, p) != LIKE):
            doses = tuple(sorted({float(d) for p, d, _ in had if p == probe}))
            told = allowed(experiment_of("", sample, probe, None), ("dense",), doses)["dense"]
            for arm, dose in ((a, d) for a in found for d in doses if (probe, d, a) in had):
                value = float(expected(told, found[arm], TARGET, dose)[1])
                rows.append(
                    {"sample": sample, "probe": probe, "dose": int(dose), "arm": arm, "expected": value}
                    | {"measured": had[probe, int(dose), arm]}
                )
            print(rows[-1], flush=True)
    return rows


def page(rows: list[dict[str, Any]]) -> str:
    """Return docs/planning.md."""
    doses, names = sorted({r["dose"] for r in rows}), order({r["arm"] for r in rows})
    ratios, kinds = defaultdict(list), len({(r["sample"], r["probe"]) for r in rows})
    for r in rows:
        ratios[r["arm"], r["dose"]].append(r["measured"] / r["expected"])
    lines = [
        "# Planning an experiment", "",
        "    make plan BASE=mine.npz MAE=0.05 FLUX=1e6 OVERHEAD=0.02",
        "    python -m studylib plan --base mine.npz --resolution 3 --field 2000 2000 --out plan.json", "",
        "Which dose, step and arm give a phase error, or a resolution, that is wanted? From probe and object of the",
        "base the planner computes what the photons of the experiment allow at several doses: Wiener's error, or",
        "where the ring correlation of an unbiased image falls to 0.5 ([limits](limits.md)). It multiplies this by",
        "the factor by which an arm missed it in a study, at as many photons per pixel and the same overlap: by",
        "default in the published study of leaves under the zone plate (`--response` and `--like` name another). It",
        "gives the least dose that is enough for each arm and overlap, the number of positions for the field, the",
        "seconds of exposure, measuring and computing, and says what it extrapolates. The notebook",
        "`notebooks/08_plan.ipynb` draws it.",
        "",
        "The object of the base stands for its kind: its power spectrum is used, and how much light it lets through.",
        "Without one, take a built-in object that is like it (`--sample`, [pictures](samples.md)). The scan is the",
        "study's: a raster whose positions are moved at random, thinned to the overlap.",
        "",
        "## How far it is off",
        "",
        f"Written by `make planning`: {kinds} other objects and probes, dense overlap. The phase error that was",
        "measured ([every sample](response/samples.md)) over the one that was expected, by factors of leaves under",
        "the zone plate. 1: as expected; 2: twice as large. Median, and the least and largest of so many conditions.",
        "The largest are those of the thick object, whose phase spans several turns: a plan for such an object says",
        "so.",
        "",
        "| arm | " + " | ".join(f"{d:,} photons per pattern" for d in doses) + " |", "|---" * (1 + len(doses)) + "|",
    ]  # fmt: skip
    for name in names:
        cells = [ratios[name, d] for d in doses]
        told = [f"{np.median(c):.2f} ({min(c):.2f} to {max(c):.2f}; {len(c)})" if c else "-" for c in cells]
        lines.append(f"| {name} | " + " | ".join(told) + " |")
    lines += ["", "<details><summary>Every condition</summary>", ""]
    lines += ["| object, probe, photons per pattern | " + " | ".join(names) + " |", "|---" * (1 + len(names)) + "|"]
    for where in dict.fromkeys((r["sample"], r["probe"], r["dose"]) for r in rows):
        mine = {r["arm"]: r for r in rows if (r["sample"], r["probe"], r["dose"]) == where}
        told = [f"{mine[n]['measured']:.3f} ({mine[n]['expected']:.3f})" if n in mine else "-" for n in names]
        lines.append(f"| {where[0]}, {where[1]}, {where[2]:,} | " + " | ".join(told) + " |")
    lines += ["", "Measured, rad, and in brackets what was expected.", "", "</details>", ""]
    return "\n".join(lines)


def main() -> None:
    """Compare and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--response", nargs="+", default=[])
    parser.add_argument("--out", default=str(DOCS / "planning.md"))
    options = parser.parse_args()
    write_text(options.out, page(compare(planner.read_responses(options.response))))


if __name__ == "__main__":
    main()

"""Which options make the iterative arm strong: `make lsqml`.

Every dose and view, on the second half of the ablation's sample: an object and photons that the study's tables never
see. Adds to benchmarks/lsqml.csv the options that it lacks, and writes docs/lsqml.md.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from ablation import DESIGN, halves, scores, store, stored

from studylib.arms.ptychi import iterate
from studylib.design import VIEWS

HERE = Path(__file__).resolve().parent
OPTIONS: dict[str, tuple[str, dict]] = {
    "LSQML, Gaussian, 100 epochs": ("LSQML", {"noise_model": "gaussian"}),
    "LSQML, Poisson, 100 epochs": ("LSQML", {"noise_model": "poisson"}),
    "LSQML, Gaussian, 30 epochs": ("LSQML", {"noise_model": "gaussian", "epochs": 30}),
    "LSQML, Poisson, 30 epochs": ("LSQML", {"noise_model": "poisson", "epochs": 30}),
    "LSQML, Gaussian, 300 epochs": ("LSQML", {"noise_model": "gaussian", "epochs": 300}),
    "rPIE, 100 epochs": ("rPIE", {}),
}
WHERE = {"LSQML, Gaussian, 300 epochs": ("sparse",)}
"""Views of an option that is not tried in all: dense, 300 epochs take two minutes a condition."""
CONDITIONS = [(view, dose) for view in VIEWS for dose in DESIGN.doses]


def page(rows: list[dict[str, str]]) -> str:
    """Return docs/lsqml.md: one table a quantity, options down, conditions across."""
    lines = [
        "# Options of the iterative arm", "",
        "`make lsqml`: laptop profile, the second half of the ablation's sample. One seed. Compact batches of 96;",
        f"LSQML has momentum {DESIGN.iteration.momentum}, rPIE step {DESIGN.iteration.step}. Written by the command.",
    ]  # fmt: skip
    for key in ("phase ms_ssim", "amplitude ms_ssim", "seconds"):
        heads = [f"{view} {dose}" for view, dose in CONDITIONS]
        lines += ["", f"## {key.replace('ms_ssim', 'MS-SSIM')}", "", "| options | " + " | ".join(heads) + " | mean |"]
        lines += ["|---" * (len(heads) + 2) + "|"]
        for name in OPTIONS:
            found = {(r["view"], int(r["dose"])): float(r[key]) for r in rows if r["options"] == name}
            cells = [f"{found[c]:.3g}" if c in found else "-" for c in CONDITIONS]
            mean = f"{fmean(found.values()):.3g}" if len(found) == len(CONDITIONS) else "-"
            lines.append(f"| {name} | " + " | ".join([*cells, mean]) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what is missing and write the page."""
    file = HERE / "lsqml.csv"
    rows = stored(file)
    done = {(r["options"], r["view"], int(r["dose"])) for r in rows}
    for view, dose in CONDITIONS:
        truth, scans = halves(dose=dose, view=view)
        for name, (algorithm, changes) in OPTIONS.items():
            if (name, view, dose) in done or view not in WHERE.get(name, VIEWS):
                continue
            settings = DESIGN.iteration.model_copy(update=changes)
            result = iterate(scans["test"], settings, DESIGN.seeds.iteration, algorithm)
            told = scores(result.object, truth, scans["test"], result.seconds)
            rows.append({"options": name, "dose": str(dose), "view": view} | {k: str(v) for k, v in told.items()})
            print(rows[-1], flush=True)
            store(file, rows)
    (HERE.parent / "docs/lsqml.md").write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()

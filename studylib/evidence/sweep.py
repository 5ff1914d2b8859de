"""docs/sweep.md: the scores of many verified hubs, mean and spread over replicates."""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import Path

from studylib.design import DOSES, VIEWS
from studylib.errors import InputError, StageError
from studylib.evidence.deltas import OTHERS, deltas_of
from studylib.evidence.index import failure
from studylib.evidence.writer import SUMMARY
from studylib.io.files import read_json
from studylib.run.hub import Hub

Scores = dict[str, dict[str, dict[str, float | None]]]
"""Numbers by model, metric and column, as in metrics_summary.json."""
SCORES = (
    ("MS-SSIM phase", "ms_ssim", "phase", 3), ("MS-SSIM amplitude", "ms_ssim", "amplitude", 3),
    ("MAE phase", "mae", "phase", 4), ("MAE amplitude", "mae", "amplitude", 4),
    ("FRC50 phase", "frc50", "phase", 3), ("FRC50 amplitude", "frc50", "amplitude", 3),
    ("seconds", "computation_time_s", "value", 0),
)  # fmt: skip


def read_hubs(folders: list[Path], split: str = "test") -> tuple[dict[tuple[int, str], dict[int, Scores]], list[str]]:
    """Read the scores of a split.

    Returns
    -------
    Scores by condition (dose, view) and replicate, and a line for each hub that has none: a run that
    failed is listed, not left out.

    Raises
    ------
    InputError
        A folder is no hub, or two hubs are of one condition and replicate.
    """
    found: dict[tuple[int, str], dict[int, Scores]] = defaultdict(dict)
    failed = []
    for folder in folders:
        hub = Hub(folder)
        run = read_json(hub / "plan/run.json", "give the folders of hubs, such as reports/sweep/*/")
        verified = hub / "analysis/verification_report.json"
        if not verified.is_file() or not read_json(verified, "")["ok"]:
            failed.append(
                f"{run['dose']} {run['view']}, replicate {run['replicate']}: {failure(hub) or 'not finished'}"
            )
            continue
        job = next((j for j in read_json(hub / SUMMARY, "make verify")["jobs"] if j["split"] == split), None)
        if job is None:
            raise InputError("hub", folder.name, f"a hub with the {split} split", "run it with --splits test")
        condition = found[run["dose"], run["view"]]
        if run["replicate"] in condition:
            raise InputError("hub", folder.name, "one hub a condition and replicate", "leave the other one out")
        condition[run["replicate"]] = job["metrics"]
    return dict(found), failed


def spread(values: list[float]) -> float:
    """Return the standard deviation (n - 1); 0 for a single value."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _cell(values: list[float | None], digits: int) -> str:
    there = [v for v in values if v is not None]
    if not there:
        return "never"
    text = f"{statistics.mean(there):.{digits}f}"
    if len(there) > 1:
        text += f" ± {spread(there):.{digits}f}"
    return text if len(there) == len(values) else f"{text} ({len(there)} of {len(values)} cross)"


def judge(deltas: list[float]) -> str:
    """Say whether PtychoPINN is ahead: beyond the spread if every replicate agrees and the mean exceeds it."""
    if len(deltas) == 1:
        return f"{deltas[0]:+.3f}, one replicate"
    mean, width = statistics.mean(deltas), spread(deltas)
    side = "ahead" if mean > 0 else "behind"
    clear = abs(mean) > width and (min(deltas) > 0 or max(deltas) < 0)
    return f"{mean:+.3f} ± {width:.3f}, {side}" if clear else f"{mean:+.3f} ± {width:.3f}, undecided"


def table(conditions: dict[tuple[int, str], dict[int, Scores]], failed: list[str]) -> str:
    """Return the page.

    Raises
    ------
    StageError
        Not one condition succeeded.
    """
    if not conditions:
        raise StageError("no verified hub among those given: " + "; ".join(failed))
    order = sorted(conditions, key=lambda c: (list(VIEWS).index(c[1]), c[0]))
    n = {len(r) for r in conditions.values()}
    lines = [
        "# Dose and overlap", "",
        f"Test split. Replicates a condition: {', '.join(map(str, sorted(n)))}, each with another object, other",
        "photons and other weights; mean ± standard deviation where there are several. Written by `make table`.", "",
        "| dose | view | model | " + " | ".join(name for name, *_ in SCORES) + " |",
        "|---|---|---|" + "---|" * len(SCORES),
    ]  # fmt: skip
    for dose, view in order:
        for model in dict.fromkeys(m for r in conditions[dose, view].values() for m in r):
            runs = list(conditions[dose, view].values())
            cells = [_cell([r[model][metric][column] for r in runs], digits) for _, metric, column, digits in SCORES]
            lines.append(f"| {dose} | {view} | {model} | " + " | ".join(cells) + " |")
    lines += ["", "## PtychoPINN against the others", ""]
    lines += ["MS-SSIM, PtychoPINN - other; decided when every replicate agrees and the mean exceeds the spread.", ""]
    lines += ["| dose | view | " + " | ".join(f"vs {o}, {c}" for o in OTHERS for c in ("phase", "amplitude")) + " |"]
    lines += ["|---|---|" + "---|" * (2 * len(OTHERS))]
    for dose, view in order:
        runs = list(conditions[dose, view].values())
        cells = []
        for other in OTHERS:
            for channel in ("phase", "amplitude"):
                cells.append(judge([deltas_of(r)[f"vs_{other}"]["ms_ssim"][channel] for r in runs]))
        lines.append(f"| {dose} | {view} | " + " | ".join(cells) + " |")
    missing = [f"{d} {v}" for v in VIEWS for d in DOSES if (d, v) not in conditions]
    lines += ["", *(f"- no result: {m}" for m in missing), *(f"- failed: {f}" for f in failed)]
    return "\n".join(lines).rstrip() + "\n"

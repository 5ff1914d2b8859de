"""One arm beside another in a published study: `python -m benchmarks.beside loop Unrolled MAP`.

Prints Markdown. Differences are paired by replicate, with the t interval at 95 %; *times Wiener* is the arm's mean
absolute error over what the best linear estimator has on the same photons.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from studylib.judge.planning import where_of
from studylib.judge.response import Spread, spread

FOLDER = Path(__file__).resolve().parents[1] / "docs/response"
METRICS = {
    "phase_ms_ssim": ("phase MS-SSIM", 3), "phase_mae": ("phase MAE, rad", 4),
    "amplitude_ms_ssim": ("amplitude MS-SSIM", 3),
}  # fmt: skip
"""Words and digits."""


def interval(told: Spread, digits: int) -> str:
    """Return a difference with its interval."""
    if told.low is None or told.high is None:
        return f"{told.mean:+.{digits}f}"
    return f"{told.mean:+.{digits}f} [{told.low:+.{digits}f}, {told.high:+.{digits}f}]"


def table(content: dict[str, Any], mine: str, other: str) -> str:
    """Return the table: conditions down, for each metric both arms and the paired difference."""
    rows = {(*where_of(r), r["arm"]): r for r in content["rows"]}
    limits = {where_of(m): m for m in content.get("limits", [])}
    conditions: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for *where, arm in rows:
        if arm == mine:
            conditions.setdefault(tuple(where[:-1]), []).append(tuple(where))
    heads = [f"{words}: {mine} | {other} | difference" for words, _ in METRICS.values()]
    head = ["object, probe", "photons per pattern", "overlap", *heads, "times Wiener", "its start", "seconds"]
    lines = ["| " + " | ".join(head) + " |", "|---" * (3 + 3 * len(METRICS) + 3) + "|"]
    for (sample, probe, view, dose), places in sorted(conditions.items(), key=lambda c: (c[0][:2], c[0][3], c[0][2])):
        pairs = [(rows[*p, mine], rows[*p, other]) for p in sorted(places)]
        cells = [f"{sample}, {probe}", f"{dose:,}", view]
        for name, (_, digits) in METRICS.items():
            values = [(a[name], b[name]) for a, b in pairs if a[name] is not None and b[name] is not None]
            if not values:
                cells += ["-"] * 3
                continue
            means = np.mean(values, axis=0)
            cells += [f"{m:.{digits}f}" for m in means] + [interval(spread([a - b for a, b in values]), digits)]
        wiener = [a["phase_mae"] / limits[p]["phase_wiener"] for p, (a, _) in zip(sorted(places), pairs, strict=True)
                  if p in limits and limits[p]["phase_wiener"]]  # fmt: skip
        fell = sum("its start" in (a.get("note") or "") for a, _ in pairs)
        seconds = np.mean([a["seconds"] for a, _ in pairs])
        cells += [f"{np.mean(wiener):.2f}" if wiener else "-", f"{fell} of {len(pairs)}", f"{seconds:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of a study in docs/response, such as loop or samples/thick")
    parser.add_argument("arm")
    parser.add_argument("other")
    options = parser.parse_args()
    content = json.loads((FOLDER / f"{options.name}.json").read_text(encoding="utf-8"))
    print(table(content, options.arm, options.other))


if __name__ == "__main__":
    main()

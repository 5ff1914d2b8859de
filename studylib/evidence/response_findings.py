"""The response of a study in words and one picture: what was asked, which arm wins where, and how far it holds.

Every function that returns HTML escapes all text that comes from outside.
"""

from __future__ import annotations

from collections import Counter
from html import escape

import numpy as np
from IPython.display import HTML
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from studylib import figures
from studylib.design import MEASURED, VIEWS
from studylib.evidence.markup import Row, explained, listed, table
from studylib.evidence.response_schema import Response, Where
from studylib.evidence.response_tables import order
from studylib.judge.compare import CONSTANT
from studylib.judge.response import TIE
from studylib.run.study import Study

FADE = 0.6
"""How much white is mixed into the colour of an arm behind text."""


def asked(told: Response) -> HTML:
    """Return the question of a study and what it varies."""
    study = Study.model_validate(told.study)
    arms = order({p.arm for p in told.points} - {CONSTANT})
    facts = {
        "objects": study.base_name or ", ".join(study.samples),
        "probes": "that of the base" if study.base_name else ", ".join(study.probes),
        "photons per pattern": ", ".join(f"{dose:,}" for dose in study.doses),
        "overlap": ", ".join(f"{view} ({VIEWS[view]:.0%})" for view in study.views),
        "replicates": f"{study.replicates}, each with another object, other photons and other weights",
        "arms": ", ".join(arms) + ", beside a constant image",
        "scored on": f"the {told.split} split, profile {study.profile}",
    }
    if MEASURED in study.samples:
        facts |= {
            "objects": "a measured scan, thinned to each dose",
            "replicates": f"{study.replicates}, other photons",
        }
        facts["probes"] = "that of the scan"
    if study.disturbed != ("none",):
        facts["wrong with the experiment"] = ", ".join(study.disturbed)
    question = f"At what dose and overlap does which of {len(arms)} methods (arms) make the best image?"
    return HTML(f"<p><strong>{question}</strong></p>{explained(facts)}")


def found(told: Response) -> HTML:
    """Return sentences on how often each arm is best, with a table of how far each arm is behind the best one."""
    return HTML(
        verdict(told).data + table(standings(told), "phase MS-SSIM; distances are to the best arm of each condition")
    )


def verdict(told: Response) -> HTML:
    """Return sentences on how often each arm is best, and on ties, arms that are not compared and failed conditions."""
    best = Counter(w.best for w in told.winners if w.best)
    ties = sum(bool(w.ties) for w in told.winners)
    words = [f"{name} is best in {count} of {len(told.winners)} conditions" for name, count in best.most_common()]
    parts = ["; ".join(words) or "no arm has a score"] + ([f"In {ties} of them another arm ties"] if ties else [])
    unfit = sorted({f"{r.arm} ({r.status})" for r in told.rows if r.status not in ("ok", "reference")})
    if unfit:
        parts.append("Not compared somewhere: " + ", ".join(unfit))
    # Remarks on arms whose status is ok, each with the number of its rows.
    for note, number in Counter((r.arm, r.note) for r in told.rows if r.status == "ok" and r.note).items():
        parts.append(f"{note[0]}, {number} times: {note[1]}")
    lost = "".join(f"<li>{escape(f.folder)}: {escape(f.reason)}</li>" for f in told.failed)
    failed = f"<p><b>{len(told.failed)} conditions failed:</b></p><ul>{lost}</ul>" if lost else ""
    return HTML(f"<p><b>Phase, {escape(told.split)} split.</b> {escape('. '.join(parts))}.</p>{failed}")


def standings(told: Response) -> list[Row]:
    """Return one row for each arm: in how many conditions it is best or ties, and how far it is behind at most.

    Parameters
    ----------
    told
        Response of a study.

    Returns
    -------
    list of Row
        Distances are of mean scores, over the conditions in which the arm and a best arm have one.
    """
    points = _means(told)
    rows: list[Row] = []
    for name in order({p.arm for p in told.points}):
        behind = {
            _place(w): points[*_place(w), w.best] - points[*_place(w), name]
            for w in told.winners
            if w.best and (*_place(w), name) in points
        }
        if not behind:
            continue
        worst = max(behind, key=lambda place: behind[place])
        sample, probe, dose, view = worst
        rows.append(
            {
                "arm": name,
                "best in": str(sum(w.best == name for w in told.winners)),
                "ties in": str(sum(name in w.ties for w in told.winners)),
                "mean distance": f"{np.mean(list(behind.values())):.3f}",
                "largest distance": f"{behind[worst]:.3f}",
                "where": f"{sample}, {probe}, {dose:,} photons, {view}",
            }
        )
    return rows


def winner_map(told: Response) -> Figure:
    """Draw the best arm of every condition: one row for each sample and probe, one column for each dose and view.

    A cell has the colour of the best arm, its score and the number of arms that tie with it.

    Parameters
    ----------
    told
        Response of a study.
    """
    if not told.winners:
        figure = Figure(figsize=(4, 0.6))
        figure.text(0.5, 0.5, "No condition has a score.", ha="center", va="center")
        return figure
    kinds = sorted({(w.sample, w.probe) for w in told.winners})
    columns = sorted({(w.dose, w.view) for w in told.winners}, key=lambda c: (c[0], list(VIEWS).index(c[1])))
    points = _means(told)
    figure = Figure(figsize=(2.6 + 1.35 * len(columns), 1.1 + 0.5 * len(kinds)), dpi=110, layout="constrained")
    axes = figure.subplots()
    picture = np.full((len(kinds), len(columns), 3), 0.9)
    for w in told.winners:
        row, column = kinds.index((w.sample, w.probe)), columns.index((w.dose, w.view))
        if w.best:
            picture[row, column] = 1 - (1 - FADE) * (1 - np.array(to_rgb(figures.colour(w.best))))
        text = f"{w.best}\n{points[*_place(w), w.best]:.3f}" if w.best else "no score"
        text += f", {len(w.ties)} tie{'s' * (len(w.ties) > 1)}" if w.ties else ""
        axes.text(column, row, text, ha="center", va="center", fontsize=7.5)
    axes.imshow(picture, aspect="auto")
    axes.set_xticks(range(len(columns)), [f"{dose:,}\n{view}" for dose, view in columns], fontsize=8)
    axes.set_yticks(range(len(kinds)), [f"{sample}, {probe}" for sample, probe in kinds], fontsize=8)
    axes.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(kinds) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=2)
    axes.tick_params(which="both", length=0)
    axes.xaxis.tick_top()
    names = order({w.best for w in told.winners if w.best})
    figure.legend(
        [Patch(color=figures.colour(n), alpha=1 - FADE) for n in names],
        names,
        loc="outside lower center",
        ncols=6,
        fontsize=8,
    )
    return figure


def ends(told: Response) -> HTML:
    """Return what the response does not say."""
    study = Study.model_validate(told.study)
    lines = []
    if study.replicates == 1:
        lines.append(
            "One replicate: how much the scores vary with object, photons and weights is not known. A distance of less "
            f"than {TIE} counts as a tie."
        )
    else:
        lines.append(
            f"{study.replicates} replicates: the intervals are Student's t at 95 %, and wide for so few. Arms are "
            "compared in pairs, on the same object and the same photons."
        )
    if MEASURED in study.samples:
        lines.append(
            "A measured scan has no truth: a reference from other counts of the same scan stands in its place."
        )
    elif study.disturbed == ("none",):
        lines.append(
            "Simulated: probe and positions are known exactly, the light is coherent and there is no background. "
            "docs/robustness.md shows what happens otherwise."
        )
    kinds = {p.sample for p in told.points}
    if len(kinds) == 1:
        lines.append("One kind of object: another one can change the order of the arms. SAMPLES= names more.")
    lines += [
        "The winner is the best in phase MS-SSIM. Other metrics, and the amplitude, can give another order (below).",
        "Nothing is said outside the doses of the study, and curves between them are interpolated.",
    ]
    return HTML(listed(lines))


def _means(told: Response) -> dict[tuple[str, str, int, str, str], float]:
    """Return the mean phase MS-SSIM by condition and arm."""
    return {(*_place(p), p.arm): p.mean for p in told.points if p.metric == "phase_ms_ssim"}


def _place(told: Where) -> tuple[str, str, int, str]:
    """Return sample, probe, dose and view of a row."""
    return told.sample, told.probe, told.dose, told.view

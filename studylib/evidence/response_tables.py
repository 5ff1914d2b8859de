"""Tables of a response: rows of named text cells, for a page or for a document."""

from __future__ import annotations

from typing import Any

from studylib.arms.registry import arms
from studylib.evidence.response_schema import Response, Where

Rows = list[dict[str, Any]]
"""Each row holds the text of a cell by the name of its column."""


def order(names: set[str]) -> list[str]:
    """Return names of arms in the order of the registry; names that it does not have, such as "constant", come last."""
    known = [arm.name for arm in arms().values()]
    return sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name))


def markdown(rows: Rows) -> str:
    """Return rows as a Markdown table; a cell that a row lacks is "-"."""
    if not rows:
        return "None."
    # Rows may have different columns; the first occurrence of a name sets its place.
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names), *([str(row.get(name, "-")) for name in names] for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _interval(mean: float, low: float | None, high: float | None, digits: int, sign: bool = False) -> str:
    """Return a mean with its interval as text.

    Parameters
    ----------
    mean
        The mean.
    low, high
        Ends of the interval; None leaves the interval out.
    digits
        Number of decimals.
    sign
        Whether a positive number is printed with its sign.
    """
    form = f"{{:{'+' if sign else ''}.{digits}f}}"
    around = "" if low is None or high is None else f" [{form.format(low)}, {form.format(high)}]"
    return form.format(mean) + around


def _fluence(photons: float) -> str:
    """Return photons per object pixel as text: three significant digits, and no power of ten."""
    # From 999.5 up, three digits would be printed as a power of ten.
    return f"{photons:.3g}" if photons < 999.5 else f"{photons:,.0f}"


def _where(told: Where) -> dict[str, str]:
    """Return the cells that name the condition of a row."""
    return {"sample, probe": f"{told.sample}, {told.probe}", "photons": f"{told.dose:,}", "view": told.view}


def scores(told: Response, metric: str = "phase_ms_ssim") -> Rows:
    """Return the mean of a metric with its 95 % interval over replicates, by condition and arm.

    The mark (!) means that in a replicate the arm did not learn, or that its contrast is out of bounds. The mark (*)
    means that the arm learned from the reference that it is scored against.

    Parameters
    ----------
    told
        Response of a study.
    metric
        A metric of its points: phase_ms_ssim, amplitude_ms_ssim, phase_mae or seconds.

    Returns
    -------
    Rows
        One row for each condition, one column for each arm; "-" where an arm has no score.
    """
    names, digits = order({p.arm for p in told.points}), {"seconds": 1, "phase_mae": 4}.get(metric, 3)
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    saw = {(r.sample, r.probe, r.dose, r.view, r.arm) for r in told.rows if r.saw_reference}
    for p in told.points:
        if p.metric == metric:
            key = (p.sample, p.probe, p.dose, p.view)
            row = rows.setdefault(key, _where(p) | {"per pixel": _fluence(p.fluence)} | dict.fromkeys(names, "-"))
            mark = (" (!)" if p.unfit else "") + (" (*)" if (*key, p.arm) in saw else "")
            row[p.arm] = _interval(p.mean, p.interval_low, p.interval_high, digits) + mark
    return [rows[key] for key in sorted(rows)]


def limits(told: Response) -> Rows:
    """Return what the photons allow, and each arm's phase error as a multiple of Wiener's (means over replicates)."""
    errors = {(p.sample, p.probe, p.dose, p.view, p.arm): p.mean for p in told.points if p.metric == "phase_mae"}
    names, rows = order({p.arm for p in told.points}), []
    places = sorted({(m.sample, m.probe, m.dose, m.view) for m in told.limits})
    for place in places:
        mine = [m for m in told.limits if (m.sample, m.probe, m.dose, m.view) == place]
        bound, wiener = (mean_of([getattr(m, name) for m in mine]) for name in ("phase_bound", "phase_wiener"))
        row = _where(mine[0]) | {"bound, rad": _number(bound), "Wiener, rad": _number(wiener)}
        for name in names:
            error = errors.get((*place, name))
            row[name] = "-" if error is None or not wiener else f"{error / wiener:.2f}"
        rows.append(row)
    return rows


def sure(told: Response) -> Rows:
    """Return the estimated error of each arm's pixels, and the fractions of pixels within once and twice that error."""
    rows = []
    for place in sorted({(m.sample, m.probe, m.dose, m.view, m.arm) for m in told.sure}):
        mine = [m for m in told.sure if (m.sample, m.probe, m.dose, m.view, m.arm) == place]
        row = _where(mine[0]) | {"arm": place[4]}
        for channel, unit in (("phase", ", rad"), ("amplitude", "")):
            row[f"{channel}: estimated error{unit}"] = _number(mean_of([getattr(m, f"{channel}_told") for m in mine]))
            for name, words in (("within_one", "within it"), ("within_two", "within twice")):
                share = mean_of([getattr(m, f"{channel}_{name}") for m in mine])
                row[f"{channel}: {words}"] = "-" if share is None else f"{share:.0%}"
        rows.append(row)
    return rows


def mean_of(values: list[float | None]) -> float | None:
    """Return the mean, or None when a value is missing or the list is empty."""
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _number(value: float | None) -> str:
    """Return a number with four decimals, or "-" when it is None."""
    return "-" if value is None else f"{value:.4f}"


def deltas(told: Response, metric: str = "phase_ms_ssim") -> Rows:
    """Return PtychoPINN - other for each condition, with the paired 95 % interval.

    Parameters
    ----------
    told
        Response of a study.
    metric
        A metric of its deltas: phase_ms_ssim, amplitude_ms_ssim, phase_mae or amplitude_mae.

    Returns
    -------
    Rows
        One row for each condition, one column for each other arm.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    digits = 3 if "ssim" in metric else 6
    for d in told.deltas:
        if d.metric == metric:
            row = rows.setdefault((d.sample, d.probe, d.dose, d.view), _where(d))
            row[f"- {d.other}"] = _interval(d.mean, d.interval_low, d.interval_high, digits, sign=True)
    return [rows[key] for key in sorted(rows)]


def winners(told: Response) -> Rows:
    """Return the arm with the best phase of each condition, and the arms that tie with it."""
    return [_where(w) | {"best": w.best or "n/a", "ties": ", ".join(w.ties) or "-"} for w in told.winners]


def needed(told: Response) -> Rows:
    """Return the dose at which each arm reaches each level; "n/a" where that lies outside the doses of the study."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for n in told.needed:
        where = {"sample, probe": f"{n.sample}, {n.probe}", "view": n.view, "arm": n.arm}
        row = rows.setdefault((n.sample, n.probe, n.view, n.arm), where)
        row[f"photons for {n.level}"] = "n/a" if n.dose is None else f"{n.dose:,.0f}"
    return list(rows.values())


def equal_fluence(told: Response) -> Rows:
    """Return the phase scores of two views at equal photons per object pixel, and their difference.

    Conditions whose fluence the other view does not cover are left out.
    """
    return [
        {
            "sample, probe": f"{e.sample}, {e.probe}", "arm": e.arm, "per pixel": _fluence(e.fluence),
            "view": e.view, "score": f"{e.score:.3f}", "other view": e.other_view,
            "its score": f"{e.other_score:.3f}", "gain": f"{e.score - e.other_score:+.3f}",
        }
        for e in told.equal_fluence
        if e.other_score is not None
    ]  # fmt: skip

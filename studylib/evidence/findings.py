"""The report of one condition in words and tables: what was asked, what was found, and how far it holds.

Every function returns HTML in which all text that comes from outside is escaped.
"""

from __future__ import annotations

from html import escape
from typing import Any

from IPython.display import HTML

from studylib.arms.registry import about, arms
from studylib.disturbances import DISTURBANCES
from studylib.evidence.deltas import LABELS, MINE, signed
from studylib.evidence.markup import Row, enumerated, explained, folded, listed, number, others_folded, table
from studylib.evidence.scan_words import of_the_scan
from studylib.evidence.summary import comparable
from studylib.evidence.writer import DELTAS, SUMMARY, read_job
from studylib.io.dataset import load_scan
from studylib.io.files import read_json
from studylib.judge.compare import CONSTANT
from studylib.judge.response import TIE
from studylib.run.hub import Hub
from studylib.run.paths import LIMIT, SCAN
from studylib.run.provenance import stamps

PHASE_FIRST = ("phase", "amplitude")
HALVES = {
    "train": "the half of the object that PtychoPINN and Baseline learn from (train split)",
    "test": "the half of the object that PtychoPINN and Baseline do not learn from (test split)",
}
"""Which half of a simulated object each split is."""


def asked(hub: Hub, evidence: dict[str, Any]) -> HTML:
    """Return the question of a run: the scan, what its images are scored against, and one line on every arm.

    Parameters
    ----------
    hub
        Folder of the run.
    evidence
        Content of metrics_delta_summary.json.
    """
    origin, split = evidence["provenance"], evidence["deltas_split"]
    scan = load_scan(hub.phase_d(origin["dose"], origin["view"], split))
    near = read_json(hub.overlap_metrics(origin["dose"], origin["view"]), "run 02_overlap")[split]
    box = _registration(hub, origin, split)["box"]
    measured, names = (hub / SCAN).is_file(), list(read_job(hub, split)["arms"])
    question = (
        f"Which of {len(names)} methods (arms) makes the best image from {len(scan.positions):,} diffraction patterns "
        f"of {origin['dose']:,} photons each, with {origin['view']} overlap?"
    )
    against = "a reference image from other counts of the scan" if measured else "the true object of the simulation"
    size = f"{box['bottom'] - box['top']} x {box['right'] - box['left']} pixels"
    facts = {
        "object and probe": origin["sample"],
        "scan": f"measured, thinned to this dose; {split} split" if measured else f"simulated; {HALVES[split]}",
        "overlap": f"{near['overlap']:.0%}: positions {near['mean_spacing_px']:.3g} pixels apart, "
        f"probe {near['probe_diameter_px']:.3g} pixels wide",
        "photons": f"{scan.fluence:.3g} per object pixel, all patterns together",
        "scored against": f"{against}, in a box of {size}, and beside a constant image",
    }
    told = {arm.name: about(key) for key, arm in arms().items()}
    kinds = explained({name: told.get(name, "") for name in names})
    return HTML(f"<p><strong>{escape(question)}</strong></p>{explained(facts)}<p>The arms:</p>{kinds}")


def found(hub: Hub, evidence: dict[str, Any]) -> HTML:
    """Return sentences on which arm is best in each channel, and where PtychoPINN stands, with remarks on the arms.

    Parameters
    ----------
    hub
        Folder of the run.
    evidence
        Content of metrics_delta_summary.json.
    """
    split, origin = evidence["deltas_split"], evidence["provenance"]
    path = hub.comparison(origin["dose"], origin["view"], split) / LIMIT
    limit = read_json(path, "") if path.is_file() else {}
    job = read_job(hub, split)
    parts = [f"<p><strong>{c.capitalize()}.</strong> {escape(_best(job, c, limit))}</p>" for c in PHASE_FIRST]
    return HTML("".join(parts) + verdict(evidence).data)


def _best(job: dict[str, Any], channel: str, limit: dict[str, Any]) -> str:
    """Return sentences on which arm has the best image in one channel, on ties, and on the order of the others.

    Parameters
    ----------
    job
        One comparison of metrics_summary.json.
    channel
        phase or amplitude.
    limit
        Content of limit.json; empty for a measured scan.
    """
    fair = comparable(job)
    scores = {name: job["metrics"][name]["ms_ssim"][channel] for name in fair}
    if job["channels"][channel] or not scores:
        return f"There are no scores: {job['channels'][channel] or 'no arm can be compared'}."
    order = sorted(scores, key=lambda name: -scores[name])
    best, *others = order
    mine, unit = job["metrics"][best], " rad" if channel == "phase" else ""
    words = [
        f"{best} has the best image: MS-SSIM {scores[best]:.3f}, mean absolute error {mine['mae'][channel]:.4f}{unit}"
    ]
    if least := limit.get(f"{channel}_wiener"):
        words[0] += (
            f", which is {mine['mae'][channel] / least:.2f} times the error of Wiener's, the best linear estimator"
        )
    ties = [name for name in others if scores[best] - scores[name] < TIE]
    if ties:
        words.append(f"{enumerated(ties)} {'is' if len(ties) == 1 else 'are'} less than {TIE} behind: a tie")
    if rest := [f"{name} ({scores[name]:.3f})" for name in others if name not in ties]:
        words.append(f"Behind {'it' if not ties else 'them'}: {enumerated(rest)}")
    exact = min(fair, key=lambda name: job["metrics"][name]["mae"][channel])
    if exact != best:
        words.append(f"{exact} has the least mean absolute error, {job['metrics'][exact]['mae'][channel]:.4f}{unit}")
    return ". ".join([*words, f"The best constant image has {job['metrics'][CONSTANT]['ms_ssim'][channel]:.3f}"]) + "."


def in_brief(hub: Hub) -> list[str]:
    """Return a few lines for a terminal: the arms in the order of their scores, and the deltas where there are any.

    Parameters
    ----------
    hub
        Folder of a finished run.
    """
    evidence = read_json(hub / DELTAS, "run 06_evidence")
    split, metrics = evidence["deltas_split"], read_job(hub, evidence["deltas_split"])["metrics"]
    lines = []
    for channel in PHASE_FIRST:
        scores = {name: m["ms_ssim"][channel] for name, m in metrics.items() if m["ms_ssim"][channel] is not None}
        ranked = [f"{name} {scores[name]:.3f}" for name in sorted(scores, key=lambda name: -scores[name])]
        lines.append(f"{channel} MS-SSIM, {split} split: {', '.join(ranked) or 'no scores'}")
    if MINE in metrics:
        lines += (hub / "analysis/metrics_delta_highlights.txt").read_text(encoding="utf-8").rstrip().split("\n")
    return lines


def verdict(evidence: dict[str, Any]) -> HTML:
    """Return sentences that say where PtychoPINN is ahead in the phase, with remarks on the arms.

    Parameters
    ----------
    evidence
        Content of metrics_delta_summary.json.

    Returns
    -------
    HTML
        About the split that `deltas_split` names.
    """
    split, origin = evidence["deltas_split"], evidence["provenance"]
    told = _of_the_run(evidence, split)
    notes = [f"{n}: {s['status']}, {s['reason']}" for n, s in evidence["status"][split].items() if s["reason"]]
    remark = f"<p><strong>{escape('. '.join(notes))}.</strong></p>" if notes else ""
    if not told:
        return HTML(remark)
    parts = []
    for other, d in told.items():
        # A smaller error is better, so that the sign of the MAE delta is turned.
        better = {"ms_ssim": d["ms_ssim"]["phase"], "mae": None if d["mae"]["phase"] is None else -d["mae"]["phase"]}
        words = [
            f"{'ahead' if gain > 0 else 'behind' if gain < 0 else 'level'} in {LABELS[metric]} "
            f"({signed(d[metric]['phase'], metric)})"
            for metric, gain in better.items()
            if gain is not None
        ]
        parts.append(f"against {other} it is {' and '.join(words)}" if words else f"against {other} there is no score")
    where = f"PtychoPINN in the phase, {split} split, {origin['dose']:,} photons per pattern, {origin['view']} view"
    return HTML(f"<p><strong>{escape(where)}:</strong> {escape('; '.join(parts))}.</p>{remark}")


def score_table(hub: Hub, evidence: dict[str, Any]) -> HTML:
    """Return a table of every arm's scores, cost and status, the best phase first; other splits are folded away.

    The row "constant" is the best constant image. The column without blur is MS-SSIM without the Gaussian pre-blur.

    Parameters
    ----------
    hub
        Folder of the run.
    evidence
        Content of metrics_delta_summary.json.
    """
    shown = {job["split"]: _scores(job) for job in read_json(hub / SUMMARY, "run 06_evidence")["jobs"]}
    return HTML(others_folded(shown, evidence["deltas_split"], "Scores of the {} split"))


def _scores(job: dict[str, Any]) -> str:
    """Return the table of one comparison, with the best score of each metric in bold."""

    def rank(name: str) -> tuple[bool, float]:
        """Return what the rows are sorted by: the constant image comes last, and no score counts as 0."""
        return name == CONSTANT, -(job["metrics"][name]["ms_ssim"]["phase"] or 0)

    order, rows = sorted(job["metrics"], key=rank), []
    for name in order:
        m = job["metrics"][name]
        rows.append(
            {"arm": name}
            | {f"{c} MS-SSIM": number(m["ms_ssim"][c], 4) for c in PHASE_FIRST}
            | {"phase MAE, rad": number(m["mae"]["phase"], 4), "amplitude MAE": number(m["mae"]["amplitude"], 4)}
            | {"phase MS-SSIM, no blur": number(m["ms_ssim_raw"]["phase"], 4)}
            # A curve that never falls to 0.5 is a good result, while a missing score is none.
            | {"phase FRC50": "> 1" if _never_falls(m) else number(m["frc50"]["phase"], 3)}
            | {"seconds": number(m.get("computation_time_s", {}).get("value"), 1)}
            | {"MiB": number(m.get("peak_memory_mib", {}).get("value"), 0)}
            | {"status": job["arms"].get(name, {"status": "reference"})["status"]}
        )
    fair = [order.index(name) for name in comparable(job)]
    best = set()
    for column, wanted in (("MS-SSIM", max), ("MAE", min)):
        for title in [title for title in rows[0] if column in title]:
            values = {place: float(rows[place][title]) for place in fair if rows[place][title] != "-"}
            # Equal printed numbers are all bold.
            best |= {(place, title) for place, value in values.items() if value == wanted(values.values())}
    return table(rows, f"{job['split']} split; the best of each column is bold", best)


def _never_falls(metrics: dict[str, dict[str, float | None]]) -> bool:
    """Return whether the ring correlation of the phase stays above 0.5 up to Nyquist."""
    # Without contrast a channel has no MS-SSIM either.
    return metrics["frc50"]["phase"] is None and metrics["ms_ssim"]["phase"] is not None


def delta_table(evidence: dict[str, Any]) -> HTML:
    """Return a table of PtychoPINN - other, one row for each other arm; other splits are folded away.

    Parameters
    ----------
    evidence
        Content of metrics_delta_summary.json.
    """
    shown = {}
    for split in evidence["deltas_by_split"]:
        rows: list[Row] = [
            {"PtychoPINN minus": other} | {f"{LABELS[m]} {c}": signed(d[m][c], m) for c in PHASE_FIRST for m in LABELS}
            for other, d in _of_the_run(evidence, split).items()
        ]
        shown[split] = table(rows, f"{split} split; MAE of the phase in rad")
    tables = others_folded(shown, evidence["deltas_split"], "Deltas of the {} split")
    return HTML(tables or f"<p>None: {MINE} is not compared with another arm in this run.</p>")


def _of_the_run(evidence: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the deltas of a split by the name of the other arm, without arms that the run did not have.

    Parameters
    ----------
    evidence
        Content of metrics_delta_summary.json, which always has the two arms of the original study.
    split
        train or test.
    """
    run = evidence["status"][split]
    every = {name.removeprefix("vs_"): d for name, d in evidence["deltas_by_split"][split].items()}
    every |= evidence["deltas_by_arm"][split]
    return {name: d for name, d in every.items() if name in run and MINE in run}


def ends(hub: Hub, evidence: dict[str, Any]) -> HTML:
    """Return what the result does not say: what was measured once, what is exact here only, and where options are from.

    Parameters
    ----------
    hub
        Folder of the run.
    evidence
        Content of metrics_delta_summary.json.
    """
    origin, split = evidence["provenance"], evidence["deltas_split"]
    box, records = _registration(hub, origin, split)["box"], stamps(hub)
    channels = read_job(hub, split)["channels"]
    told = [f"The {channel} has no scores: {reason}." for channel, reason in channels.items() if reason]
    told += of_the_scan(hub) or [_simulated(records)]
    told += [f"{name} learned from the counts of the {split} split itself." for name in _self_trained(hub, split)]
    told += [
        "One condition, one object, one set of photons and one training of each network: how much the scores vary with "
        "them is not measured here. The command make response REPLICATES=3 measures it.",
        "A scale, a global phase and a phase ramp are removed from each image before it is scored: they are free in a "
        "measurement, or an error of another kind. registration.json has them.",
        f"Only pixels with at least {box['least_share_of_the_mean']:.0%} of the mean light are scored.",
        f"Seconds and MiB are of this machine ({', '.join(origin['processors'])}, "
        f"{max(origin['threads'].values())} thread(s) for a stage) and include training.",
        "The truth chose no option of an arm. Most were chosen by counts for another scan, the nearest of a table "
        '(below). For an unlike object, let the scan itself choose: SELECT="ptychi map".',
    ]
    if read_json(hub / "analysis/design.json", "run 00_design")["profile"] == "smoke":
        told.insert(0, "The smoke profile tests the chain on a small sample with short trainings. It is no result.")
    return HTML(listed(told) + folded("Settings of each arm, and where they come from", _settings(records, split)))


def _settings(records: dict[str, dict[str, Any]], split: str) -> str:
    """Return a table of the settings that made the images of a split.

    Parameters
    ----------
    records
        Stamps of the stages, by name.
    split
        train or test.
    """
    made = [
        r["parameters"] for name, r in records.items() if name.startswith("04_reconstruct") and f"_{split}_" in name
    ]
    rows = [
        {
            "arm": arms()[given["arm"]].name,
            "origin": given["settings_from"],
            "settings": ", ".join(f"{name} {value}" for name, value in given["settings"].items()),
        }
        for given in made
        if "settings_from" in given and given["arm"] in arms()
    ]
    return table(rows)


def _simulated(records: dict[str, dict[str, Any]]) -> str:
    """Return a sentence on what the arms know exactly of a simulated experiment.

    Parameters
    ----------
    records
        Stamps of the stages, by name.
    """
    made: dict[str, Any] = next((r["parameters"] for name, r in records.items() if name.startswith("01_generate")), {})
    wrong = DISTURBANCES[made.get("disturbed", "none")].words
    if wrong:
        return f"The patterns are simulated. What the arms are told of the experiment is not exact: {wrong}."
    return (
        "The patterns are simulated with exactly the probe and the positions that the arms are given, with coherent "
        "light and without background. A measured scan has none of this; docs/robustness.md shows what it costs."
    )


def _self_trained(hub: Hub, split: str) -> list[str]:
    """Return the names of the arms of a run that learn from the scan that is judged."""
    names = set(read_job(hub, split)["arms"])
    return [arm.name for arm in arms().values() if arm.trains and arm.trains_on == split and arm.name in names]


def _registration(hub: Hub, origin: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the content of registration.json of a comparison."""
    return read_json(hub.comparison(origin["dose"], origin["view"], split) / "registration.json", "run 05_compare")

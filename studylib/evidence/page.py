"""Tables and pictures of the evidence notebook. All text that comes from outside is escaped."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure
from PIL import Image

from studylib import figures
from studylib.arms.registry import arm, arms
from studylib.design import CHANNELS, SPLITS
from studylib.evidence.aggregate import notes
from studylib.evidence.deltas import LABELS, signed
from studylib.evidence.explorer import MARK
from studylib.evidence.writer import SUMMARY
from studylib.io.dataset import load_scan
from studylib.io.files import read_json
from studylib.run import paths
from studylib.run.hub import Hub
from studylib.run.paths import CEILING, LIMIT, SCAN
from studylib.run.provenance import dose_of_training, stamps


def delta_table(evidence: dict[str, Any]) -> HTML:
    """Return a table of the deltas against every other arm, with the last split and the phase first.

    Parameters
    ----------
    evidence
        Content of metrics_delta_summary.json.
    """
    rows = []
    for split, contract in reversed(evidence["deltas_by_split"].items()):
        # The two models of the original study come before the other arms.
        others = {name.removeprefix("vs_"): d for name, d in contract.items()} | evidence["deltas_by_arm"][split]
        rows += [
            {"split": split, "delta": f"{LABELS[metric]} vs {other}"}
            | {c: signed(d[metric][c], metric) for c in ("phase", "amplitude")}
            for metric in LABELS
            for other, d in others.items()
        ]
    return _table(pd.DataFrame(rows))


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
    told = {name.removeprefix("vs_"): d for name, d in evidence["deltas"].items()} | evidence["deltas_by_arm"][split]
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
    where = f"Phase, {split} split, {origin['dose']} photons per pattern, {origin['view']} view"
    notes = [f"{n}: {s['status']}, {s['reason']}" for n, s in evidence["status"][split].items() if s["reason"]]
    remark = f"<p>{escape('. '.join(notes))}.</p>" if notes else ""
    return HTML(f"<p><b>{escape(where)}.</b> PtychoPINN: {escape('; '.join(parts))}.</p>{remark}")


def score_table(hub: Hub) -> HTML:
    """Return a table of every model's scores, costs and status, by split.

    The row "constant" is the best constant image. The column without blur is MS-SSIM without the Gaussian pre-blur.
    """
    rows = []
    for job in reversed(read_json(hub / SUMMARY, "run 06_evidence")["jobs"]):
        for model, m in job["metrics"].items():
            rows.append(
                {"split": job["split"], "model": model}
                | {f"{LABELS[k]} {c}": _cell(m[k][c], 4) for k in ("ms_ssim", "mae") for c in ("phase", "amplitude")}
                | {"MS-SSIM phase, no blur": _cell(m["ms_ssim_raw"]["phase"], 4)}
                # A curve that never falls to 0.5 is a good result, while a missing score is none.
                | {"FRC50 phase": "> 1" if _never_falls(m) else _cell(m["frc50"]["phase"], 3)}
                | {"seconds": _cell(m.get("computation_time_s", {}).get("value"), 1)}
                | {"MiB": _cell(m.get("peak_memory_mib", {}).get("value"), 0)}
                | {"status": job["arms"].get(model, {"status": "reference"})["status"]}
            )
    return _table(pd.DataFrame(rows))


def remarks(hub: Hub) -> HTML:
    """Return a list of remarks: why an arm did not learn, why a channel has no scores, and where settings come from."""
    jobs = read_json(hub / SUMMARY, "run 06_evidence")["jobs"]
    told = of_the_scan(hub)
    told += [f"{job['split']}: {line.removeprefix('- ')}" for job in jobs for line in notes(job) if line]
    told += sorted(
        f"Settings of {record['parameters']['arm']}: {record['parameters']['settings_from']}"
        for name, record in stamps(hub).items()
        if name.startswith(("03_train", "04_reconstruct")) and "settings_from" in record["parameters"]
    )
    # A remark that holds for several splits is printed once.
    return HTML("<ul>" + "".join(f"<li>{escape(line)}</li>" for line in dict.fromkeys(told)) + "</ul>")


def of_the_scan(hub: Hub) -> list[str]:
    """Return sentences about a measured scan: its reference, notes, orientation and ceiling.

    Returns
    -------
    list of str
        Empty for a simulated scan.
    """
    told = [_reference(read_json(path, "")) for path in sorted((hub / "data/phase_c").glob("dose_*/reference.json"))]
    if told:
        scan = read_json(hub / SCAN, "")
        told += [*scan["description"]["notes"], scan["orientation"]]
        told += [_ceiling(what, halves) for what, halves in read_json(hub / CEILING, "").items()]
    return told


def _reference(told: dict[str, Any]) -> str:
    """Return a sentence about the reference image that takes the place of the truth of a measured scan."""
    image = f"an image by {told['made_by']} of all {told['positions']} positions"
    dose = f"at {told['photons_per_pattern']:,} photons per pattern"
    fit = f"chi-square {told['chi_square']:.2f} per expected photon, R factor {told['r_factor']:.3f}"
    return (
        f"A measured scan: there is no truth. In its place stands {image} {dose}, from counts that no arm was given. "
        f"It explains held counts with {fit}, Pearson {told['pearson']:.3f} (mean pattern taken off). "
        f"Probe: {told['probe']}"
    )


def _ceiling(what: str, told: dict[str, dict[str, float | None]]) -> str:
    """Return a sentence about the agreement of two independent images of a measured scan.

    Parameters
    ----------
    what
        What was divided in two: the counts or the positions.
    told
        Scores of one image against the other, by channel.
    """
    parts = []
    for channel in ("phase", "amplitude"):
        m = told[channel]
        cells = f"MS-SSIM {_cell(m['ms_ssim'], 3)}, MAE {_cell(m['mae'], 4)}, half bit at {_cell(m['half_bit'], 3)}"
        parts.append(f"{channel} {cells} of Nyquist")
    return f"The ceiling, two images of half the {what} each against each other: {'; '.join(parts)}"


def uncertainty(hub: Hub, dose: int, view: str, split: str) -> HTML:
    """Return the error of each pixel as estimated from two halves of the counts, and how many pixels it covers.

    Parameters
    ----------
    hub
        Folder of the run.
    dose
        Photons per pattern.
    view
        dense or sparse.
    split
        train or test.

    Returns
    -------
    HTML
        A sentence and an error map for each arm that estimates the error of its pixels.
    """
    folder, parts = hub.comparison(dose, view, split), []
    for key in (key for key in arms() if (folder / paths.uncertainty(key)).is_file()):
        told = read_json(folder / paths.uncertainty(key), "run notebook 05_uncertainty first")
        words = " ".join(f"{c.capitalize()}: {_sure(told[c], ' rad' * (c == 'phase'))}." for c in reversed(CHANNELS))
        parts.append(f"<p><b>{escape(told['arm'])}.</b> {words}</p>")
        picture = folder / paths.uncertainty(key, "png")
        parts.append(embedded(picture, f"error of each pixel of {told['arm']}, as two halves of the counts tell it"))
    return HTML("\n".join(parts) or "<p>No arm of this run tells the error of its pixels.</p>")


def _sure(told: dict[str, float], unit: str) -> str:
    """Return a sentence about the estimated error of one channel.

    Parameters
    ----------
    told
        Mean estimated error (`told`). With a truth also the fractions of pixels within one and two estimated errors,
        and the mean absolute error (`error`).
    unit
        " rad" for the phase, empty for the amplitude.
    """
    mean = f"the error told is {told['told']:.4f}{unit} in the mean"
    if "within_one" not in told:
        return mean
    shares = f"{told['within_one']:.0%} of the pixels lie within it, {told['within_two']:.0%} within twice that"
    return f"{mean}; {shares}; the mean absolute error is {told['error']:.4f}{unit}"


def _cell(value: float | None, digits: int) -> str:
    """Return a number with a fixed number of decimals, or "-" when it is None."""
    return "-" if value is None else f"{value:.{digits}f}"


def _never_falls(metrics: dict[str, dict[str, float | None]]) -> bool:
    """Return whether the ring correlation of the phase stays above 0.5 up to Nyquist."""
    # Without contrast a channel has no MS-SSIM either.
    return metrics["frc50"]["phase"] is None and metrics["ms_ssim"]["phase"] is not None


def pictures(hub: Hub, dose: int, view: str, splits: list[str], name: str) -> HTML:
    """Return one figure of every split, the test split first, embedded in HTML.

    Parameters
    ----------
    hub
        Folder of the run.
    dose
        Photons per pattern.
    view
        dense or sparse.
    splits
        The splits that were compared.
    name
        File name of the figure in the folder of a comparison, such as "phase.png".
    """
    kind = name.removesuffix(".png")
    return HTML(
        "\n".join(
            embedded(
                hub.comparison(dose, view, split) / name, f"{kind}: truth and arms, {split} split, dose {dose}, {view}"
            )
            for split in sorted(splits)
        )
    )


def embedded(source: Path | Figure, text: str) -> str:
    """Return a picture with its caption as HTML that needs no other file.

    The picture is stored as WebP: a fifth of the bytes, so that the page stays under 8 MB.

    Parameters
    ----------
    source
        A figure, or the file of a picture.
    text
        Caption, which also is the text for readers who do not see the picture.
    """
    drawn, small = BytesIO(), BytesIO()
    if isinstance(source, Figure):
        source.savefig(drawn, format="png", dpi=100)
    else:
        drawn.write(source.read_bytes())
    with Image.open(drawn) as picture:
        picture.convert("RGB").save(small, "WEBP", quality=90)
    data = b64encode(small.getvalue()).decode()
    return (
        f'<figure><img alt="{escape(text)}" src="data:image/webp;base64,{data}">'
        f"<figcaption>{escape(text)}</figcaption></figure>"
    )


def explore() -> HTML:
    """Return the placeholder that report.html replaces by the explorer (`studylib.evidence.explorer`)."""
    return HTML(MARK)


def scan_map(hub: Hub, dose: int, view: str) -> HTML:
    """Return maps of the scan positions, of the photons that fell on each object pixel, and of the mean pattern.

    Parameters
    ----------
    hub
        Folder of the run.
    dose
        Photons per pattern.
    view
        dense or sparse.
    """
    scans = {split: load_scan(hub.phase_d(dose, view, split)) for split in SPLITS}
    return HTML(
        embedded(
            figures.scan_map({split: scan.positions for split, scan in scans.items()}, scans["train"]),
            f"scan positions of both halves, their illumination and the mean pattern, dose {dose}, {view}",
        )
    )


def curves(hub: Hub, dose: int, view: str, split: str, keys: tuple[str, ...]) -> HTML:
    """Return the training curves of the networks.

    Parameters
    ----------
    hub
        Folder of the run.
    dose
        Photons per pattern.
    view
        dense or sparse.
    split
        Split whose reconstructions tell at which dose each network was trained.
    keys
        Keys of the arms of the run; those that are not trained are left out.
    """
    trained = [key for key in keys if arm(key).trains]
    if not trained:
        return HTML("<p>No arm of this run was trained.</p>")
    figure = Figure(figsize=(5.5 * len(trained), 3.2), layout="constrained")
    for axes, key in zip(figure.subplots(1, len(trained), squeeze=False)[0], trained, strict=True):
        # A study may train a network once for all doses (`one_training`).
        at = dose_of_training(hub, dose, view, split, key)
        folder = hub.phase_e(at, view, key)
        rows = pd.read_csv(folder / "history.csv")
        flat = read_json(folder / "training.json", "run 03_train")["flat_loss"]
        figures.draw_history(axes, rows.to_dict("records"), flat)
        axes.set_title(arm(key).name + ("" if at == dose else f", trained at {at:,} photons"))
    return HTML(embedded(figure, "training and held-out loss of the networks over time, and that of a flat object"))


def limit(hub: Hub, dose: int, view: str, split: str) -> HTML:
    """Return a table of all errors as multiples of the error of Wiener's estimator, with maps of photons and bound.

    Parameters
    ----------
    hub
        Folder of the run.
    dose
        Photons per pattern.
    view
        dense or sparse.
    split
        train or test.

    Returns
    -------
    HTML
        A sentence without a table for a measured scan, whose true object is unknown.
    """
    folder = hub.comparison(dose, view, split)
    if not (folder / LIMIT).is_file() and (hub / SCAN).is_file():
        return HTML("<p>None: it is computed around the true object, which a measured scan does not have.</p>")
    told = read_json(folder / LIMIT, "run notebook 05_limit first")
    job = next(job for job in read_json(hub / SUMMARY, "run 06_evidence")["jobs"] if job["split"] == split)
    errors = {"bound of Cramer and Rao": (told["phase_bound"], told["amplitude_bound"])}
    errors |= {"Wiener's estimator": (told["phase_wiener"], told["amplitude_wiener"])}
    errors |= {name: (m["mae"]["phase"], m["mae"]["amplitude"]) for name, m in job["metrics"].items()}
    rows = [
        {
            "model": name,
            "phase error, rad": _cell(phase, 4), "phase: times Wiener's": _times(phase, told["phase_wiener"]),
            "amplitude error": _cell(amplitude, 4),
            "amplitude: times Wiener's": _times(amplitude, told["amplitude_wiener"]),
        }
        for name, (phase, amplitude) in errors.items()
    ]  # fmt: skip
    words = f"Mean absolute errors, {split} split; a pixel of the box sends {told['photons_per_pixel']:.3g} photons."
    remark = f" No limit: {told['reason']}." if told["reason"] else ""
    picture = embedded(folder / "limit.png", f"photons a pixel and the bound of the phase's error, {split}, {view}")
    return HTML(f"<p>{escape(words + remark)}</p>{_table(pd.DataFrame(rows)).data}{picture}")


def _times(error: float | None, least: float | None) -> str:
    """Return an error as a multiple of the least one, or "-" where one of the two is missing."""
    return "-" if error is None or not least else f"{error / least:.2f}"


def overlap_table(hub: Hub, dose: int, view: str) -> HTML:
    """Return a table of the overlap metrics of both halves of the object.

    Parameters
    ----------
    hub
        Folder of the run.
    dose
        Photons per pattern.
    view
        dense or sparse.
    """
    metrics = read_json(hub.overlap_metrics(dose, view), "run 02_overlap")
    rows = [
        {"metric": name} | {split: "none" if m[name] is None else f"{m[name]:.4g}" for split, m in metrics.items()}
        for name in next(iter(metrics.values()))
    ]
    return _table(pd.DataFrame(rows))


def provenance_table(evidence: dict[str, Any]) -> HTML:
    """Return the complete provenance as a table that is folded away."""
    rows = [("generated_at", evidence["generated_at"]), ("source_metrics", evidence["source_metrics"])]
    for name, value in evidence["provenance"].items():
        if isinstance(value, dict):
            # Every entry of a nested field gets a row of its own.
            rows += [(f"{name}: {k}", v) for k, v in value.items()]
        else:
            rows.append((name, ", ".join(map(str, value)) if isinstance(value, list) else value))
    table = _table(pd.DataFrame([(str(a), str(b)) for a, b in rows], columns=["field", "value"])).data
    return HTML(f"<details><summary>{len(rows)} fields</summary>{table}</details>")


def _table(frame: pd.DataFrame) -> HTML:
    """Return a table as HTML with all cells escaped."""
    return HTML(frame.to_html(index=False, escape=True, border=0))

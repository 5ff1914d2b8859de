"""Pictures of the evidence notebook, with the tables that belong to them. All text from outside is escaped."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure
from numpy.typing import NDArray

from studylib import figures
from studylib.arms.registry import arm, arms
from studylib.design import CHANNELS, SPLITS
from studylib.evidence.explorer import MARK
from studylib.evidence.markup import embedded, folded, number, others_folded, table
from studylib.evidence.writer import read_job
from studylib.io.dataset import load_scan
from studylib.io.files import read_json
from studylib.io.npz import read_members
from studylib.run import paths
from studylib.run.hub import Hub
from studylib.run.paths import LIMIT, SCAN
from studylib.run.provenance import dose_of_training

OVERLAP = {
    "probe_diameter_px": "diameter of the probe, pixels",
    "target_spacing_px": "wanted distance of neighbouring positions, pixels",
    "mean_spacing_px": "mean distance of neighbouring positions, pixels",
    "overlap": "overlap: 1 - distance / diameter",
    "n_positions": "positions",
    "n_positions_before": "positions of the whole scan",
    "acceptance": "fraction of the positions that is kept",
    "acceptance_bound": "largest fraction that the distance allows",
    "n_groups": "groups of positions",
    "group_size": "positions in a group",
    "m1_group_members": "overlap of the members of a group (M1)",
    "m2_images": "overlap of each position with its nearest ones (M2)",
    "m3_groups": "overlap of groups nearer than the diameter (M3)",
}
"""Overlap metrics in words."""
RIGHT = (0.6, 0.75)
"""Fractions of the pixels within one estimated error between which it is called about right; 0.68 for normal errors."""
CAPTIONS = {
    "phase.png": "Phase: {} and arms, the part where the arms differ most, and the error of each",
    "amplitude.png": "Amplitude: {} and arms, the part where the arms differ most, and the error of each",
    "frc.png": "Fourier ring correlation of each arm with the {}",
}
"""Caption of each figure of a comparison, with a place for what the arms are compared with."""


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
        parts.append(
            embedded(
                picture,
                f"Error of each pixel of {told['arm']}, estimated from two halves of the counts, beside the true error",
            )
        )
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
    mean = f"the estimated error is {told['told']:.4f}{unit} in the mean"
    if "within_one" not in told:
        return mean
    shares = f"{told['within_one']:.0%} of the pixels lie within it, {told['within_two']:.0%} within twice that"
    size = (
        "too small"
        if told["within_one"] < RIGHT[0]
        else "too large"
        if told["within_one"] > RIGHT[1]
        else "about right"
    )
    return f"{mean}; {shares}, so that it is {size} here; the mean absolute error is {told['error']:.4f}{unit}"


def pictures(hub: Hub, dose: int, view: str, splits: list[str], name: str) -> HTML:
    """Return one figure of every split, embedded in HTML: the test split, and the others folded away below it.

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
    kind = CAPTIONS[name].format("reference" if (hub / SCAN).is_file() else "truth")
    shown = {
        split: embedded(
            hub.comparison(dose, view, split) / name, f"{kind}; {split} split, {dose:,} photons per pattern, {view}"
        )
        for split in sorted(splits)
    }
    return HTML(others_folded(shown, min(shown), "The same of the {} split"))


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
            f"Scan positions of both halves, their illumination and the mean pattern; {dose:,} photons, {view}",
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
    return HTML(
        embedded(figure, "Training loss and held-out loss of the networks over time, and that of a flat object")
    )


def convergence(hub: Hub, dose: int, view: str, split: str, keys: tuple[str, ...]) -> HTML:
    """Return the loss of every arm that iterates on the scan, over its iterations or epochs.

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
    keys
        Keys of the arms of the run; those whose reconstruction has no loss are left out.
    """
    losses = {key: _loss(hub.phase_f(dose, view, split, key)) for key in keys}
    shown = {key: loss for key, loss in losses.items() if len(loss) > 1}
    if not shown:
        return HTML("<p>No arm of this run iterates on the scan.</p>")
    figure = Figure(figsize=(3.6 * len(shown), 2.8), layout="constrained")
    for axes, (key, loss) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
        axes.plot(range(1, len(loss) + 1), loss, color=figures.colour(arm(key).name))
        axes.set(title=arm(key).name, xlabel="iteration or epoch", ylabel="loss of the arm")
    words = "Loss of each arm that iterates on the scan, each in its own units; that of MAP is without its prior"
    return HTML(embedded(figure, words))


def _loss(path: Path) -> NDArray:
    """Return the loss of a reconstruction over its iterations, (iterations,)."""
    return read_members(path, ("loss",), "run notebook 04_reconstruct again")["loss"]


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
    errors = {"bound of Cramer and Rao": (told["phase_bound"], told["amplitude_bound"])}
    errors |= {"Wiener's estimator": (told["phase_wiener"], told["amplitude_wiener"])}
    errors |= {name: (m["mae"]["phase"], m["mae"]["amplitude"]) for name, m in read_job(hub, split)["metrics"].items()}
    rows = [
        {
            "arm": name,
            "phase error, rad": number(phase, 4), "phase: times Wiener's": _times(phase, told["phase_wiener"]),
            "amplitude error": number(amplitude, 4),
            "amplitude: times Wiener's": _times(amplitude, told["amplitude_wiener"]),
        }
        for name, (phase, amplitude) in errors.items()
    ]  # fmt: skip
    words = f"Mean absolute errors, {split} split. A pixel of the box sends {told['photons_per_pixel']:.3g} photons."
    remark = f" No limit: {told['reason']}." if told["reason"] else ""
    picture = embedded(
        folder / "limit.png", f"Photons that each pixel sends, and the bound of the phase error; {split} split, {view}"
    )
    return HTML(f"<p>{escape(words + remark)}</p>{table(rows)}{picture}")


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
        {"quantity": OVERLAP.get(name, name)}
        | {split: "none" if m[name] is None else f"{m[name]:.4g}" for split, m in metrics.items()}
        for name in next(iter(metrics.values()))
    ]
    return HTML(table(rows))


def provenance_table(evidence: dict[str, Any]) -> HTML:
    """Return the complete provenance as a table that is folded away."""
    rows = [("generated_at", evidence["generated_at"]), ("source_metrics", evidence["source_metrics"])]
    for name, value in evidence["provenance"].items():
        if isinstance(value, dict):
            # Every entry of a nested field gets a row of its own.
            rows += [(f"{name}: {k}", v) for k, v in value.items()]
        else:
            rows.append((name, ", ".join(map(str, value)) if isinstance(value, list) else value))
    shown = table([{"field": str(name), "value": str(value)} for name, value in rows])
    return HTML(folded(f"{len(rows)} fields", shown))

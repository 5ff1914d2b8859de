"""The comparison of all arms on one canvas, in one gauge, by one set of metrics. It reads the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.design import CHANNELS, MEASURED, METRICS, StudyDesign
from studylib.io.npz import member_names, read_members
from studylib.judge import consistency, metrics, register, scores
from studylib.scan import Scan

CONSTANT = "constant"
"""Name of the row of the best constant image. Its scores are those of an arm that learned nothing."""
REFERENCE = "MAP"
"""Name of the arm with whose gain over the constant object the gains of the other arms are compared."""
CONTRAST = (0.05, 5.0)
"""Smallest and largest contrast, relative to the truth, of an image that is accepted as one of the object."""
SAW_REFERENCE = "trained on patches of the reference that it is scored against"
"""Note of an arm that was trained on the reference. Its score shows how well it remembers, so that it is no candidate
for the best."""
PHASE = "truth_phase"
"""Member of reconstructions.npz that holds the true phase, unwrapped."""


@dataclass(frozen=True)
class Comparison:
    """The arms beside the truth, in the scored box.

    Attributes
    ----------
    truth : (rows, columns) complex64
        True object in the scored box, or the reference of a measured scan.
    phase : (rows, columns) float32
        True phase, rad, unwrapped where it spans more than 2 pi.
    images
        Image of each arm, (rows, columns) complex64, without scale, global phase and phase ramp.
    rows
        Tidy table with the columns model, metric, amplitude, phase and value. It includes the row `constant`.
    cost
        By arm: training_seconds, reconstruction_seconds, peak_memory_mib.
    registration
        By arm: shift, gauge, contrast, and how well its image explains counts that no arm was fitted to. Also the
        scored box with its illumination, and the number of MS-SSIM scales.
    status
        `arms`: status and reason of each arm. `channels`: by channel, why it has no scores, or an empty string.
    frc
        Rows with the frequency and one column for each arm and channel.
    against
        What `truth` is: "truth", or "reference" for a measured scan.
    """

    truth: NDArray[np.complex64]
    phase: NDArray[np.float32]
    images: dict[str, NDArray[np.complex64]]
    rows: list[dict[str, Any]]
    cost: dict[str, dict[str, float]]
    registration: dict[str, Any]
    status: dict[str, dict[str, Any]]
    frc: list[dict[str, float]]
    against: str = "truth"


def compare_arms(
    canvases: Mapping[str, NDArray[np.complex64]],
    truth: NDArray[np.complex64],
    scan: Scan,
    design: StudyDesign,
    cost: dict[str, dict[str, float]],
    phase: NDArray[np.float32] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Comparison:
    """Score every arm against the truth, and find the arms that did not learn.

    Parameters
    ----------
    canvases
        Image of each arm, (rows, columns) complex64 in the frame of the positions.
    truth : (rows, columns) complex64
        True object in the same frame.
    scan
        Scan that the arms reconstructed, with counts that no arm was fitted to.
    design
        Pre-blur of MS-SSIM and the largest accepted shift.
    cost
        By arm: training_seconds, reconstruction_seconds, peak_memory_mib.
    phase : (rows, columns) float32
        True phase, rad, unwrapped; the angle of `truth` when None.
    notes
        By arm, what a reader of its scores has to know. It becomes the reason beside a status that is ok.

    Returns
    -------
    `Comparison`

    Raises
    ------
    StageError
        An arm with status ok is shifted by more than the accepted limit, an image is zero everywhere, or a score is not
        finite.
    InputError
        The scan has no counts that no arm was fitted to.
    """
    # `light` covers the whole frame; truth, images and metrics are cut to the scored box.
    light, region = scores.region_of(scan)
    true = truth[box := region.box.slices]
    true_phase = np.angle(true) if phase is None else phase[box]
    explained = {name: consistency.measures(canvas, scan) for name, canvas in canvases.items()}
    images, rows, status = {}, [], {}
    curves: dict[str, metrics.RingCorrelation] = {}
    held_against = explained[REFERENCE].gain if REFERENCE in explained else None
    registration: dict[str, Any] = {"box": region.report(), "ms_ssim_scales": metrics.n_scales(true.shape)}
    for name, canvas in canvases.items():
        # The reference is compared with the constant object alone.
        verdict = consistency.learned(explained[name].gain, None if name == REFERENCE else held_against)
        gauge = register.fit_gauge(canvas[box], true, light[box])
        image = register.apply_gauge(canvas[box], gauge)
        contrast = scores.contrast(image, true, true_phase)
        status[name] = _status(*verdict, contrast, (notes or {}).get(name, ""))
        shift = register.shift_between(image, true)
        # An image that shows no object has no meaningful shift, so it is not refused for its shift.
        if status[name]["status"] == "ok":
            register.refuse_shift(shift, design.max_registration_px, name)
        images[name] = image
        rows += tidy(name, scores.score_image(image, true, design.ms_ssim_sigma, true_phase)[0], cost[name])
        registration[name] = gauge.report() | _placed(shift, contrast) | explained[name].report()
        curves |= {f"{name}_{c}": metrics.frc(*pair) for c, pair in channels(image, true, true_phase).items()}
    # The reasons depend on the truth alone, so that those of the constant image hold for every arm.
    told, reasons = scores.score_image(scores.constant_image(true), true, design.ms_ssim_sigma, true_phase)
    rows += tidy(CONSTANT, told, None)
    return Comparison(
        true, true_phase.astype(np.float32), images, rows, cost, registration,
        {"arms": status, "channels": {c: reasons.get(c, "") for c in CHANNELS}}, _curve_rows(curves),
        "reference" if scan.metadata.get("sample_kind") == MEASURED else "truth",
    )  # fmt: skip


def _placed(shift: tuple[float, float], contrast: dict[str, float | None]) -> dict[str, Any]:
    """Return shift and contrast of an arm as fields of its registration."""
    return {"shift_rows_px": shift[0], "shift_columns_px": shift[1], "contrast": contrast}


def _status(learned: bool, reason: str, contrast: dict[str, float | None], note: str = "") -> dict[str, str]:
    """Return status and reason of an arm.

    Parameters
    ----------
    learned, reason
        Verdict of `consistency.learned`.
    contrast
        Contrast relative to the truth, by channel.
    note
        Reason to give beside a status that is ok.
    """
    if not learned:
        return {"status": "did not learn", "reason": reason}
    low, high = CONTRAST
    outside = {c: v for c, v in contrast.items() if v is not None and not low <= v <= high}
    if outside:
        told = " and ".join(f"{v:.3g} times the truth's in the {c}" for c, v in outside.items())
        return {"status": "contrast out of bounds", "reason": f"its contrast is {told} ({low} to {high} is accepted)"}
    return {"status": "ok", "reason": note}


def read_images(path: Path, remedy: str) -> dict[str, NDArray[np.complex64]]:
    """Read the images of reconstructions.npz.

    Parameters
    ----------
    path
        The file.
    remedy
        Command that makes the file, for the error message.

    Returns
    -------
    The truth first, then the image of every arm in the file, (rows, columns) complex64 by name

    Raises
    ------
    InputError
        There is no such file, or a member of it is damaged.
    """
    names = [name for name in member_names(path, remedy) if name != PHASE]
    return read_members(path, names, remedy)


def read_phase(path: Path, remedy: str) -> NDArray[np.float32]:
    """Read the true phase, unwrapped, from reconstructions.npz.

    Parameters
    ----------
    path
        The file.
    remedy
        Command that makes the file, for the error message.

    Returns
    -------
    (rows, columns) float32, rad

    Raises
    ------
    InputError
        The file or the member is absent or damaged.
    """
    return read_members(path, (PHASE,), remedy)[PHASE]


def channels(image: NDArray, truth: NDArray, phase: NDArray | None = None) -> dict[str, tuple[NDArray, NDArray]]:
    """Return amplitude and phase of image and truth.

    Parameters
    ----------
    image, truth : (rows, columns) complex64
    phase : (rows, columns)
        True phase, rad, unwrapped; the angle of `truth` when None.

    Returns
    -------
    By channel the pair (image, truth), (rows, columns) float64; the phase of the image is within pi of the true phase
    """
    true = (np.angle(truth) if phase is None else phase).astype(np.float64)
    return {
        "amplitude": (np.abs(image).astype(np.float64), np.abs(truth).astype(np.float64)),
        "phase": (true + np.angle(image * np.conj(truth)), true),
    }


def tidy(model: str, told: dict[str, dict], cost: dict[str, float] | None) -> list[dict[str, Any]]:
    """Return the rows of one model in the tidy table: metrics by channel, then its costs as values.

    Parameters
    ----------
    model
        Name of the model.
    told
        Scores by channel and metric.
    cost
        training_seconds, reconstruction_seconds and peak_memory_mib; None for a model without costs.

    Returns
    -------
    Rows with the columns model, metric, amplitude, phase and value
    """
    rows: list[dict[str, Any]] = [
        {"model": model, "metric": m, "amplitude": told["amplitude"][m], "phase": told["phase"][m], "value": None}
        for m in METRICS
    ]
    costs = cost and {
        "computation_time_s": cost["training_seconds"] + cost["reconstruction_seconds"],
        "peak_memory_mib": cost["peak_memory_mib"],
    }
    return rows + [
        {"model": model, "metric": name, "amplitude": None, "phase": None, "value": value}
        for name, value in (costs or {}).items()
    ]


def _curve_rows(curves: dict[str, metrics.RingCorrelation]) -> list[dict[str, float]]:
    """Return the table of the ring correlations: frequency, and one column for each curve. All have the same rings."""
    frequency = next(iter(curves.values())).frequency
    return [
        {"frequency": float(f)} | {name: float(curve.correlation[i]) for name, curve in curves.items()}
        for i, f in enumerate(frequency)
    ]

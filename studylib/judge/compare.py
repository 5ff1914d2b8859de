"""The comparison: three arms, one canvas, one gauge, one set of metrics. Only this reads the truth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.design import CHANNELS, EXTRAS, METRICS, MODELS, StudyDesign
from studylib.errors import StageError
from studylib.io import dataset
from studylib.io.files import read_json
from studylib.io.npz import read_members
from studylib.judge import metrics, register
from studylib.physics.stitch import scanned_box
from studylib.run.hub import Hub
from studylib.scan import Scan

ARM_OF = {"PtychoPINN": "pinn", "Baseline": "baseline"}


@dataclass(frozen=True)
class Comparison:
    """The three arms beside the truth, on the scanned box.

    Attributes
    ----------
    truth : (rows, columns) complex64
    images
        By model, (rows, columns) complex64 in the truth's gauge.
    rows
        Tidy table: model, metric, amplitude, phase, value.
    cost
        By model: training_seconds, reconstruction_seconds, peak_memory_mib.
    registration
        By model: shift, gauge, contrast; and the number of MS-SSIM scales.
    frc
        Rows: frequency and one column a model and channel.
    """

    truth: NDArray[np.complex64]
    images: dict[str, NDArray[np.complex64]]
    rows: list[dict[str, Any]]
    cost: dict[str, dict[str, float]]
    registration: dict[str, Any]
    frc: list[dict[str, float]]


def compare_arms(
    hub: Hub, design: StudyDesign, dose: int, view: str, split: str, extras: tuple[str, ...] = ()
) -> Comparison:
    """Reconstruct with both networks, read the iterative arm, and score all three.

    Raises
    ------
    StageError
        An arm is flat, off the frame, or a number is not finite.
    """
    source = hub.phase_d(dose, view, split)
    scan = dataset.load_scan(source, "run notebook 02_overlap first")
    canvases, cost = _canvases(hub, design, scan, dose, view, split, extras)
    box = scanned_box(scan.positions)
    truth = dataset.load_truth(source)[box.slices]
    images, rows, curves = {}, [], {}
    registration: dict[str, Any] = {}
    for model, canvas in canvases.items():
        image = canvas[box.slices]
        gauge = register.fit_gauge(image, truth)
        image = register.apply_gauge(image, gauge)
        pairs = channels(image, truth)
        contrast = {c: metrics.refuse_flat(*pairs[c], f"{model} {c}") for c in CHANNELS}
        shift = register.shift_between(image, truth, design.max_registration_px, model)
        images[model] = image
        scores = {c: score(*pairs[c], design.ms_ssim_sigma) for c in CHANNELS}
        rows += tidy(model, scores, cost[model])
        registration[model] = {
            "shift_rows_px": shift[0], "shift_columns_px": shift[1], "scale": gauge.scale,
            "phase_rad": gauge.phase, "ramp_x_rad_per_px": gauge.ramp_x, "ramp_y_rad_per_px": gauge.ramp_y,
            "contrast": contrast,
        }  # fmt: skip
        for c in CHANNELS:
            curves[f"{model}_{c}"] = metrics.frc(*pairs[c])
    registration["ms_ssim_scales"] = metrics.n_scales(truth.shape)
    registration["box"] = {"top": box.top, "bottom": box.bottom, "left": box.left, "right": box.right}
    return Comparison(truth, images, rows, cost, registration, _curve_rows(curves))


def _canvases(
    hub: Hub, design: StudyDesign, scan: Scan, dose: int, view: str, split: str, extras: tuple[str, ...] = ()
):
    """Return each arm's canvas and cost, from the same patterns; the truth is not read here."""
    from studylib.learn.predict import load_network, reconstruct
    from studylib.reconstruction import peak_memory_mib

    canvases, cost = {}, {}
    for model, arm in ARM_OF.items():
        folder = hub.phase_e(dose, view, arm)
        remedy = f"run notebook 03_train with arm={arm} first"
        network = load_network(folder / "model.keras", remedy)
        training = read_json(folder / "training.json", remedy)
        start = time.perf_counter()
        canvases[model] = reconstruct(network, scan, design.grouping, design.seeds.grouping)
        cost[model] = {
            "training_seconds": training["seconds"],
            "reconstruction_seconds": time.perf_counter() - start,
            "peak_memory_mib": max(training["peak_memory_mib"], peak_memory_mib()),
        }
    for extra in ("", *extras):
        model = EXTRAS.get(extra, "PtyChi")
        path = hub.phase_f(dose, view, split, extra)
        found = read_members(path, ("object", "seconds", "peak_memory_mib"), "run notebook 04_reconstruct first")
        canvases[model] = found["object"]
        cost[model] = {
            "training_seconds": cost["PtychoPINN"]["training_seconds"] if extra else 0.0,
            "reconstruction_seconds": float(found["seconds"]),
            "peak_memory_mib": float(found["peak_memory_mib"]),
        }
    return canvases, cost


def read_images(path: Path, remedy: str) -> dict[str, NDArray[np.complex64]]:
    """Read reconstructions.npz: the truth first, then every arm and extra row that it holds."""
    with np.load(path, allow_pickle=False) as archive:
        names = [name for name in ("truth", *MODELS, *EXTRAS.values()) if name in archive.files]
    return read_members(path, names, remedy)


def channels(image: NDArray, truth: NDArray) -> dict[str, tuple[NDArray, NDArray]]:
    """Return amplitude and phase of both, (rows, columns) float64."""
    return {
        "amplitude": (np.abs(image).astype(np.float64), np.abs(truth).astype(np.float64)),
        "phase": (register.phase_near(image, truth), register.true_phase(truth)),
    }


def score(image: NDArray, truth: NDArray, sigma: float) -> dict[str, float | None]:
    """Return every metric of the study for one channel; frc50 is None when it never crosses."""
    values: dict[str, float | None] = {
        "mae": metrics.mae(image, truth),
        "mse": metrics.mse(image, truth),
        "psnr": metrics.psnr(image, truth),
        "ssim": metrics.ssim(image, truth),
        "ms_ssim": metrics.ms_ssim(image, truth, sigma),
        "frc50": metrics.frc(image, truth).crossing(0.5),
    }
    for name, value in values.items():
        if value is not None and not np.isfinite(value):
            raise StageError(f"{name} is {value}: not a number that can be compared")
    return values


def tidy(model: str, scores: dict[str, dict], cost: dict[str, float]) -> list[dict[str, Any]]:
    """Return the rows of one model: metrics by channel, then its costs as values."""
    rows: list[dict[str, Any]] = [
        {"model": model, "metric": m, "amplitude": scores["amplitude"][m], "phase": scores["phase"][m], "value": None}
        for m in METRICS
    ]
    costs = {
        "computation_time_s": cost["training_seconds"] + cost["reconstruction_seconds"],
        "peak_memory_mib": cost["peak_memory_mib"],
    }
    rows += [
        {"model": model, "metric": name, "amplitude": None, "phase": None, "value": value}
        for name, value in costs.items()
    ]
    return rows


def _curve_rows(curves: dict[str, metrics.RingCorrelation]) -> list[dict[str, float]]:
    frequency = next(iter(curves.values())).frequency
    return [
        {"frequency": float(f)} | {name: float(curve.correlation[i]) for name, curve in curves.items()}
        for i, f in enumerate(frequency)
    ]

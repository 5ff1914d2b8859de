"""The stage that estimates the error of every pixel of an image, from two halves of the counts (05_uncertainty)."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.arms.registry import algorithm, arm, training_of
from studylib.design import MEASURED, Seeds
from studylib.io import dataset
from studylib.io.files import write_json, write_with
from studylib.io.npz import read_members
from studylib.judge import scores
from studylib.judge.uncertainty import ErrorMap, coverage, error_map, errors
from studylib.measured_condition import half
from studylib.run import paths, plan
from studylib.run.arm_stages import VIEW_FIRST, load_trained
from studylib.run.hub import Hub
from studylib.run.parameters import Run, elsewhere
from studylib.run.provenance import dose_of_training, stamp
from studylib.run.stages import read_design
from studylib.scan import Scan


def compute(hub: Hub, profile: str, dose: int, view: str, split: str, key: str) -> tuple[ErrorMap, dict[str, Any]]:
    """Reconstruct two halves of a split's counts with an arm; write its error map, and how well that covers the truth.

    Parameters
    ----------
    hub
        Folder of the run.
    profile
        Profile of the design: smoke, laptop or full.
    dose
        Mean photons per pattern.
    view
        dense or sparse.
    split
        train or test.
    key
        Key of an arm whose `error_from_halves` is true.

    Returns
    -------
    map
        `studylib.judge.uncertainty.ErrorMap` of the scored box, (rows, columns) float32: phase in rad, amplitude.
    report
        By channel, the mean estimated error `told`. Where there is a truth, also the mean absolute true error `error`,
        and `within_one` and `within_two`: the shares of pixels whose true error is below one and two estimated errors.

    Raises
    ------
    InputError
        The arm has not reconstructed this split yet, or the data set of the view is missing or damaged.
    StageError
        The hub has another design, or the reconstruction of a half is not finite.
    """
    from studylib import figures
    from studylib.learn.backend import use_backend

    use_backend("torch")
    begin = time.perf_counter()
    design, source = read_design(hub, profile), hub.phase_d(dose, view, split)
    scan = dataset.load_scan(source, VIEW_FIRST)
    light, region = scores.region_of(scan)
    box = region.box.slices
    image = _told(hub, dose, view, split, key, "object")[box]
    halves = [one[box] for one in _halves(hub, scan, dose, view, split, key, design.seeds)]
    found = error_map(image, halves, light[box])
    report: dict[str, Any] = {
        "arm": arm(key).name, "of": "two halves of the counts",
        "phase": {"told": float(found.phase.mean())}, "amplitude": {"told": float(found.amplitude.mean())},
    }  # fmt: skip
    # A measured scan has a reference but no truth, so its error map is compared with nothing.
    wrong = None
    if scan.metadata.get("sample_kind") != MEASURED:
        truth, phase = dataset.load_truth(source)[box], dataset.load_phase(source)
        true_phase = np.angle(truth) if phase is None else phase[box]
        wrong = errors(image, truth, true_phase, light[box])
        for channel, more in coverage(wrong, found).items():
            report[channel] |= more
    report["seconds"] = time.perf_counter() - begin
    folder = hub.comparison(dose, view, split)
    write_json(folder / paths.uncertainty(key), report)
    maps = {"phase": found.phase, "amplitude": found.amplitude}
    write_with(folder / paths.uncertainty(key, "npz"), lambda file: np.savez(file, **maps))  # type: ignore[arg-type]
    drawn = figures.uncertainty(found, wrong)
    write_with(folder / paths.uncertainty(key, "png"), partial(drawn.savefig, format="png", dpi=110))
    at = dose_of_training(hub, dose, view, split, key)
    more = elsewhere(dose, {training_of(key): at})
    run = Run(profile=profile, dose=dose, view=view, splits=(split,), arms=(key,), **more)
    stage = plan.uncertainty_stage(run, key)
    stamp(hub, stage, seconds=report["seconds"], parameters={"algorithm": algorithm(key)})
    return found, report


def _told(hub: Hub, dose: int, view: str, split: str, key: str, member: str) -> Any:
    """Return one member of the NPZ of an arm's reconstruction."""
    path, first = hub.phase_f(dose, view, split, key), f"run notebook 04_reconstruct with arm={key} first"
    return read_members(path, (member,), first)[member]


def _halves(
    hub: Hub, scan: Scan, dose: int, view: str, split: str, key: str, seeds: Seeds
) -> list[NDArray[np.complex64]]:
    """Return an arm's images of two halves of the counts, made with the settings of its image of all counts.

    Parameters
    ----------
    hub, dose, view, split, key
        As for `compute`.
    scan
        All counts of the split.
    seeds
        Seeds of the study; that of the iterations divides the counts.

    Returns
    -------
    Two images (rows, columns) complex64 in the frame of the positions
    """
    # The stabilising background of an arm is scaled by this share of the counts.
    share = scan.metadata | {"share": 0.5 * scan.metadata.get("share", 1.0)}
    parts = [replace(half(scan, seeds.iteration, which), metadata=share) for which in (0, 1)]
    at = dose_of_training(hub, dose, view, split, key)
    # Each half needs its own start: the arm's predecessors reconstruct it first.
    images: list[dict[str, NDArray[np.complex64]]] = [{}, {}]
    for k in (*arm(key).after, key):
        told = json.loads(str(_told(hub, dose, view, split, k, "_settings")))["settings"]
        settings = arm(k).settings(**told)
        trained = None
        if training_of(k):
            trained, _ = load_trained(hub, at, view, training_of(k), scan if at != dose else None)
        for part, made in zip(parts, images, strict=True):
            starts = {name: made[name] for name in arm(k).after}
            made[k] = arm(k).reconstruct(part, settings, seeds, trained, starts).object
    return [made[key] for made in images]

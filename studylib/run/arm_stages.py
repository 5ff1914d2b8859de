"""The stages E to G of a run: training, reconstruction and comparison of the arms.

Each reads its inputs from the hub, writes whole files into it, and leaves a stamp. The notebooks 03_train, 03_select,
04_reconstruct and 05_compare call them.
"""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.arms.registry import (
    algorithm,
    arm,
    check_arms,
    needed,
    options_owner,
    settings_of,
    training_of,
)
from studylib.arms.registry import train as train_arm
from studylib.design import MEASURED, check_seed
from studylib.errors import InputError
from studylib.io import dataset
from studylib.io.files import read_json, write_json, write_table, write_with
from studylib.io.npz import read_members
from studylib.judge.compare import SAW_REFERENCE, Comparison, compare_arms
from studylib.judge.select import Choice, choose
from studylib.machine import device
from studylib.reconstruction import Reconstruction, Trained, check_object
from studylib.run import paths, plan
from studylib.run.hub import Hub
from studylib.run.parameters import Run, elsewhere
from studylib.run.provenance import dose_of_training, stamp
from studylib.run.stages import read_design
from studylib.scan import Scan

VIEW_FIRST = "run notebook 02_overlap first"
OPTIONS = ("table", "scan")
"""Sources of the options of an arm: the table that `make selection` wrote for all scans, or 03_select on this scan."""


def train(
    hub: Hub,
    profile: str,
    dose: int,
    view: str,
    key: str,
    backend: str,
    seed: int | None = None,
    options: str = "table",
) -> Trained:
    """Train an arm on the half of a view that it learns from, and write the network with its record (phase E).

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
    key
        Key of an arm that trains.
    backend
        Framework below Keras: torch or tensorflow.
    seed
        Seed of the weights and the batches; None takes that of the design.
    options
        Source of the options of the arms on whose images this arm is trained, as for `reconstruct`.

    Returns
    -------
    `studylib.reconstruction.Trained`

    Raises
    ------
    InputError
        A parameter is not accepted, or a file of an earlier stage is missing or damaged.
    StageError
        The hub has another design, the arm does not train, or its training diverged.
    """
    from studylib.learn.backend import use_backend

    _check_options(options)
    seed = None if seed is None else check_seed(seed)
    use_backend(backend)
    start = time.perf_counter()
    design, trainee = read_design(hub, profile), arm(key)
    seeds = design.seeds if seed is None else design.seeds.model_copy(update={"training": seed})
    source = hub.phase_d(dose, view, trainee.trains_on)
    scan = dataset.load_scan(source, VIEW_FIRST)
    settings, told = settings_of(key, design, scan)
    # Only an arm that needs the truth is given the true patches.
    patches = dataset.load_patches(source) if trainee.needs_truth else None
    own = {options_owner(k): o for k in trainee.after if (o := _own_options(hub, dose, view, k, options))}
    trained = train_arm(key, scan, patches, settings, design, seeds, own)
    folder = hub.phase_e(dose, view, key)
    training = {
        "arm": key, "backend": backend, "device": device(), "seed": seeds.training, "attempts": trained.attempts,
        "seconds": trained.seconds, "patterns_per_second": trained.patterns_per_second,
        "peak_memory_mib": trained.peak_memory_mib, "flat_loss": trained.flat_loss,
        "parameters": trained.network.count_params(),
        "gain": trained.gain, "gain_error": trained.gain_error,
        "fluence": scan.fluence,
        "settings": settings.model_dump(mode="json"),
        "settings_from": told, "best_val_loss": min(row["val_loss"] for row in trained.history),
    }  # fmt: skip
    trainee.save(trained, folder)
    write_table(folder / "history.csv", trained.history)
    write_json(folder / "training.json", training)
    run = Run(profile=profile, dose=dose, view=view, backend=backend)
    stamp(
        hub, plan.training_stage(run, key), seconds=time.perf_counter() - start,
        parameters={"seed": seeds.training, "settings": training["settings"],
                    "settings_from": told, "algorithm": algorithm(key)},
    )  # fmt: skip
    return trained


def select(hub: Hub, profile: str, dose: int, view: str, key: str) -> Choice:
    """Choose the options of an arm on the scan itself, by counts to which no candidate was fitted (before phase F).

    A simulated scan has two halves, and its training half chooses for both. A measured scan is not halved: the whole
    scan chooses.

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
    key
        Key of an arm that needs no training.

    Returns
    -------
    `studylib.judge.select.Choice`

    Raises
    ------
    InputError
        The arm is unknown, the scan is too large for this machine, or a file of an earlier stage is missing or damaged.
    StageError
        The hub has another design, or the reconstruction of a candidate is not finite.
    """
    start = time.perf_counter()
    design, chosen = read_design(hub, profile), arm(key)
    scan = dataset.load_scan(hub.phase_d(dose, view, "train"), VIEW_FIRST)
    chosen.refuse_too_large(scan)
    # What the profile or the user sets holds for every candidate.
    changes = design.arms.get(key, {})

    def fitted(settings: dict[str, Any], part: Scan) -> NDArray[np.complex64]:
        """Return the image of a share of the counts, (rows, columns) complex64."""
        return chosen.reconstruct(part, chosen.settings(**(settings | changes)), design.seeds).object

    # The split must not depend on how the counts were drawn, so its seed is not the seed of the simulation.
    choice = choose(chosen.candidates, fitted, scan, design.seeds.iteration)
    told = {
        "arm": key, "of": "this scan" if scan.metadata.get("sample_kind") == MEASURED else "this scan's training half",
        "fluence": scan.fluence, "settings": choice.settings, "judged": choice.judged,
        "tried": [{n: getattr(t, n) for n in ("settings", "loss", "standard_error", "seconds")} for t in choice.tried],
    }  # fmt: skip
    write_json(hub / paths.choice(dose, view, key), told)
    stage = plan.selection_stage(Run(profile=profile, dose=dose, view=view), key)
    stamp(hub, stage, seconds=time.perf_counter() - start, parameters={"algorithm": algorithm(key)})
    return choice


def _check_options(options: str) -> None:
    """Reject a source of options that does not exist."""
    if options not in OPTIONS:
        raise InputError("options", options, " or ".join(OPTIONS), "give options=table")


def _own_options(hub: Hub, dose: int, view: str, key: str, options: str) -> dict[str, Any] | None:
    """Return the options that 03_select chose for an arm on the scan itself; None where the table gives them.

    Raises
    ------
    InputError
        `options` is neither "table" nor "scan", or 03_select was not run for the arm.
    """
    _check_options(options)
    owner = options_owner(key)
    first = f"run notebook 03_select with arm={owner} first"
    return read_json(hub / paths.choice(dose, view, owner), first) if options == "scan" else None


def reconstruct(
    hub: Hub,
    profile: str,
    dose: int,
    view: str,
    split: str,
    key: str,
    backend: str = "torch",
    options: str = "table",
    trained_at: int = 0,
) -> Reconstruction:
    """Reconstruct a split with one arm, from the patterns of that split alone, and write the image (phase F).

    The truth is not read.

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
        Key of the arm.
    backend
        Framework below Keras, for arms that are networks: torch or tensorflow.
    options
        Source of the arm's options: "table" for the table of choices, "scan" for the choice on this scan (`select`).
    trained_at
        Photons per pattern at which the network was trained, where one training serves several doses; 0 means `dose`.

    Returns
    -------
    `studylib.reconstruction.Reconstruction`, its object (rows, columns) complex64 in the frame of the positions

    Raises
    ------
    InputError
        A parameter is not accepted, the scan is too large for this machine, or a file of an earlier stage is missing or
        damaged.
    StageError
        The hub has another design, or the reconstruction is not finite.
    """
    from studylib.learn.backend import use_backend

    use_backend(backend)
    begin = time.perf_counter()
    design, chosen = read_design(hub, profile), arm(key)
    source = hub.phase_d(dose, view, split)
    scan = dataset.load_scan(source, VIEW_FIRST)
    chosen.refuse_too_large(scan)
    settings, told = settings_of(key, design, scan, _own_options(hub, dose, view, key, options))
    trainer, trained, at = training_of(key), None, trained_at or dose
    if trainer:
        trained, with_which = load_trained(hub, at, view, trainer, None if at == dose else scan)
        if at != dose and key == trainer:
            # The weights belong to the settings of their training, not to those chosen for this dose.
            settings, told = with_which, f"its training at {at:,} photons per pattern"
    notes = [f"trained at {at:,} photons per pattern"] if trainer and at != dose else []
    # The true patches of a measured scan are cut from the reference, and the same reference scores the image.
    if trainer and arm(trainer).needs_truth and scan.metadata.get("sample_kind") == MEASURED:
        notes.append(SAW_REFERENCE)
    starts = {k: read_reconstruction(hub, dose, view, split, k)["object"] for k in chosen.after}
    result = chosen.reconstruct(scan, settings, design.seeds, trained, starts)
    check_object(chosen.name, result.object, scan.shape)
    told_settings = {"settings": settings.model_dump(mode="json"), "settings_from": told}
    _write_image(hub.phase_f(dose, view, split, key), result, told_settings, notes)
    # The plan lists the file of the choice among the inputs of the stage only if the run names the arm here.
    own = (options_owner(key),) if options == "scan" else ()
    run = Run(
        profile=profile, dose=dose, view=view, backend=backend, select=own,
        **elsewhere(dose, {trainer: at} if trainer else {}),
    )  # fmt: skip
    stamp(
        hub, plan.reconstruction_stage(run, split, key), seconds=time.perf_counter() - begin,
        parameters=told_settings | {"algorithm": algorithm(key)},
    )  # fmt: skip
    return result


def load_trained(hub: Hub, dose: int, view: str, key: str, scan: Scan | None) -> tuple[Any, Any]:
    """Return what an arm learned at a dose, adapted to another scan where one is given.

    Parameters
    ----------
    hub
        Folder of the run.
    dose
        Photons per pattern at which the arm was trained.
    view
        dense or sparse.
    key
        Key of an arm that trains.
    scan
        A scan of another dose or probe than that of the training; None for the scan of the training itself.

    Returns
    -------
    trained
        What the arm's `reconstruct` takes as `trained`.
    settings
        Settings of the training; None without another scan.

    Raises
    ------
    InputError
        The arm was not trained at this dose.
    """
    trainee = arm(key)
    trained = trainee.load(hub.phase_e(dose, view, key), f"run notebook 03_train with arm={key}, dose={dose} first")
    if scan is None:
        return trained, None
    settings = trainee.settings(**_training(hub, dose, view, key)["settings"])
    return trainee.for_scan(trained, scan, settings), settings


def _training(hub: Hub, dose: int, view: str, key: str) -> dict[str, Any]:
    """Return the record of an arm's training, the content of training.json."""
    first = f"run notebook 03_train with arm={key}, dose={dose} first"
    return read_json(hub.phase_e(dose, view, key) / "training.json", first)


def _write_image(path: Path, result: Reconstruction, told: dict[str, Any], notes: list[str]) -> None:
    """Write an image as NPZ, together with its cost, its settings and the notes that a reader of it needs."""
    members = {
        "object": result.object, "loss": result.loss, "seconds": np.float64(result.seconds),
        "peak_memory_mib": np.float64(result.peak_memory_mib), "_settings": json.dumps(told),
        "_note": "; ".join(filter(None, (*notes, result.note))),
    }  # fmt: skip
    write_with(path, lambda file: np.savez(file, **members))  # type: ignore[arg-type]


def read_reconstruction(hub: Hub, dose: int, view: str, split: str, key: str) -> dict[str, np.ndarray]:
    """Read an arm's reconstruction of a split.

    Parameters
    ----------
    hub, dose, view, split, key
        As for `reconstruct`.

    Returns
    -------
    By name: object (rows, columns) complex64, seconds, peak_memory_mib, and _note, a text

    Raises
    ------
    InputError
        The arm has not reconstructed this split yet, or the file is damaged.
    """
    remedy = f"run notebook 04_reconstruct with arm={key} first"
    return read_members(hub.phase_f(dose, view, split, key), ("object", "seconds", "peak_memory_mib", "_note"), remedy)


def _cost(hub: Hub, dose: int, view: str, split: str, key: str) -> dict[str, float]:
    """Return the cost of an arm's image, including the trainings and the images from which it started.

    Returns
    -------
    training_seconds, reconstruction_seconds and peak_memory_mib
    """
    told = [read_reconstruction(hub, dose, view, split, k) for k in (*arm(key).after, key)]
    trainings = {(t, dose_of_training(hub, dose, view, split, k)) for k in (*needed(key), key) if (t := training_of(k))}
    trained = [_training(hub, at, view, k) for k, at in sorted(trainings)]
    # Each stage is a process of its own: the times add up, the memory does not.
    return {
        "training_seconds": sum(t["seconds"] for t in trained),
        "reconstruction_seconds": sum(float(t["seconds"]) for t in told),
        "peak_memory_mib": max([float(t["peak_memory_mib"]) for t in told] + [t["peak_memory_mib"] for t in trained]),
    }


def compare(hub: Hub, profile: str, dose: int, view: str, split: str, arms: str | tuple[str, ...]) -> Comparison:
    """Put every arm on one canvas, score it against the truth, and say which arm did not learn (phase G).

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
    arms
        Keys of the arms to compare, a tuple or one string of words. The arms from which they start are added.

    Returns
    -------
    `studylib.judge.compare.Comparison`

    Raises
    ------
    InputError
        An arm is unknown, or a reconstruction is missing or damaged.
    StageError
        The hub has another design, an arm that learned lies off the frame, or a score is not finite.
    """
    start, keys = time.perf_counter(), check_arms(arms)
    comparison = compared(hub, profile, dose, view, split, keys)
    folder = hub.comparison(dose, view, split)
    write_table(folder / "comparison_metrics.csv", comparison.rows)
    write_with(
        folder / "reconstructions.npz",
        lambda file: np.savez(file, truth=comparison.truth, truth_phase=comparison.phase, **comparison.images),  # type: ignore[arg-type]
    )
    write_json(folder / "cost.json", comparison.cost)
    write_json(folder / "registration.json", comparison.registration)
    write_json(folder / "status.json", comparison.status)
    write_table(folder / "frc.csv", comparison.frc)
    draw(comparison, folder)
    # The stage reads the record of every training behind the images, and some may be of another dose.
    every = dict.fromkeys(n for k in keys for n in (*needed(k), k))
    trained = {training_of(k): dose_of_training(hub, dose, view, split, k) for k in every if training_of(k)}
    run = Run(profile=profile, dose=dose, view=view, arms=keys, **elsewhere(dose, trained))
    stage = plan.comparison_stage(run, split)
    stamp(hub, stage, seconds=time.perf_counter() - start, parameters={})
    return comparison


def compared(hub: Hub, profile: str, dose: int, view: str, split: str, keys: tuple[str, ...]) -> Comparison:
    """Return the comparison of arms, computed from their reconstructions and the truth. Nothing is written.

    Parameters
    ----------
    hub, profile, dose, view, split
        As for `compare`.
    keys
        Keys of the arms, checked and complete.

    Returns
    -------
    `studylib.judge.compare.Comparison`

    Raises
    ------
    InputError
        A reconstruction is missing or damaged.
    StageError
        The hub has another design, an arm that learned lies off the frame, or a score is not finite.
    """
    design, source = read_design(hub, profile), hub.phase_d(dose, view, split)
    scan = dataset.load_scan(source, VIEW_FIRST)
    told = {arm(k).name: read_reconstruction(hub, dose, view, split, k) for k in keys}
    images = {name: members["object"] for name, members in told.items()}
    return compare_arms(
        images, dataset.load_truth(source), scan, design, {arm(k).name: _cost(hub, dose, view, split, k) for k in keys},
        dataset.load_phase(source), {name: str(members["_note"]) for name, members in told.items()},
    )  # fmt: skip


def draw(comparison: Comparison, folder: Path) -> None:
    """Save the pictures of a comparison as PNG: phase, amplitude and Fourier ring correlation.

    Parameters
    ----------
    comparison
        The arms beside the truth.
    folder
        Folder in which phase.png, amplitude.png and frc.png are written.
    """
    from studylib import figures

    drawn: dict[str, Any] = {
        "phase.png": figures.arms(comparison, "phase"),
        "amplitude.png": figures.arms(comparison, "amplitude"),
        "frc.png": figures.ring_correlation(comparison.frc, comparison.against),
    }
    for name, picture in drawn.items():
        write_with(folder / name, partial(picture.savefig, format="png", dpi=110))

"""The plan of a run: its stages, their parameters, and the files that they read and write.

The Snakefile, the dry run and the check for completeness all read this one list.
"""

from __future__ import annotations

import shlex
from dataclasses import replace

from studylib.arms.registry import arm, needed, options_owner, training_of
from studylib.changes import words_of
from studylib.design import MEASURED, SPLITS, judged
from studylib.run import paths
from studylib.run.parameters import Run
from studylib.run.stage import Stage

BASE = "data/base/base.npz"
"""Hub-relative path of the base: the user's object and probe, or a measured scan."""
DESIGN = "analysis/design.json"
COMMON: dict[str, str | int] = {"hub": "."}
"""Parameters of every stage."""


PHASES = ("design", "generate", "overlap", "baseline", "PINN", "reconstruct", "compare", "evidence + verify")
"""Banners of the phases 1 to 8."""


def stages(run: Run) -> list[Stage]:
    """Return the stages of a run; each comes after the stages whose files it reads."""
    return [*shared_stages(run), *own_stages(run)]


def shared_stages(run: Run) -> list[Stage]:
    """Return the stages that depend neither on the view nor on the arms: design, measured scan and photons."""
    measured = [scan_stage(run), ceiling_stage(run)] if run.sample == MEASURED else []
    return [design_stage(run), *measured, generation_stage(run)]


def own_stages(run: Run) -> list[Stage]:
    """Return the stages of one condition: its view, its arms, its comparisons and its evidence."""
    plan = [view_stage(run)]
    # Arms that are trained on the images of other arms come after the choice of the options of those arms.
    trained = [key for key in run.trainings if run.trained_at(key) == run.dose]
    plan += [training_stage(run, key) for key in trained if not arm(key).after]
    plan += [selection_stage(run, key) for key in run.select]
    plan += [training_stage(run, key) for key in trained if arm(key).after]
    plan += [reconstruction_stage(run, split, key) for split in run.splits for key in run.arms]
    plan += [comparison_stage(run, split) for split in run.splits]
    plan += [limit_stage(run)] if run.sample != MEASURED else []
    plan += [uncertainty_stage(run, key) for key in run.arms if arm(key).error_from_halves]
    return [*plan, evidence_stage(run)]


def taken_over(run: Run) -> tuple[list[Stage], list[Stage]]:
    """Return the stages of the least dose that a condition of another dose takes over: trainings and their data.

    Parameters
    ----------
    run
        A condition; nothing is taken over where it trains all of its arms itself.

    Returns
    -------
    shared
        Stages that the views of the least dose share.
    own
        Stages of the condition of the least dose.
    """
    keys = [key for key in run.trainings if run.trained_at(key) != run.dose]
    if not keys:
        return [], []
    least = run.model_copy(update={"dose": run.least_dose})
    before = {options_owner(k) for key in keys for k in arm(key).after}
    chosen = [selection_stage(least, key) for key in run.select if key in before]
    own = [view_stage(least), *chosen, *(training_stage(least, key) for key in keys)]
    # The usual names of the logs belong to the stages of this condition's own dose.
    named = [[replace(s, log=f"cli/{s.name}.log") for s in part] for part in ([generation_stage(least)], own)]
    return named[0], named[1]


def design_stage(run: Run) -> Stage:
    """Return the stage that freezes the design."""
    return Stage(
        1, "00_design", "00_design",
        COMMON | {"profile": run.profile, "replicate": run.replicate, "changes": shlex.join(words_of(run.changes))},
        [], [DESIGN], _log("phase_a_design"),
    )  # fmt: skip


def scan_stage(run: Run) -> Stage:
    """Return the stage that examines a measured scan: its probe, and an image of one half of its counts."""
    return Stage(
        2, "01_measured", "01_measured", COMMON | {"profile": run.profile}, [DESIGN, BASE],
        [paths.PROBE, paths.SCAN, paths.HALF], _log("phase_c_measured"),
    )  # fmt: skip


def ceiling_stage(run: Run) -> Stage:
    """Return the stage that reconstructs the other half of a measured scan's counts: the ceiling of the scores."""
    return Stage(
        2, "01_ceiling", "01_ceiling", COMMON | {"profile": run.profile}, [DESIGN, BASE, paths.PROBE, paths.HALF],
        [paths.CEILING], _log("phase_c_ceiling"),
    )  # fmt: skip


def generation_stage(run: Run) -> Stage:
    """Return the stage that makes object, scan and photons of a dose, or thins a measured scan to it."""
    base = BASE if run.base_sha256 else ""
    given: dict[str, str | int] = {"dose": run.dose, "base": base, "sample": run.sample, "probe": run.probe}
    given |= {} if run.disturbed == "none" else {"disturbed": run.disturbed}
    outputs = [paths.phase_c(run.dose, s) for s in SPLITS]
    measured = run.sample == MEASURED
    outputs += [paths.reference(run.dose)] if measured else []
    return Stage(
        2, f"01_generate_dose{run.dose}", "01_generate", COMMON | {"profile": run.profile} | given,
        [DESIGN, *([base] if base else []), *([paths.PROBE, paths.HALF] if measured else [])], outputs,
        _log("phase_c_generation"),
    )  # fmt: skip


def _here(run: Run) -> dict[str, str | int]:
    """Return the parameters that all stages of one condition share."""
    return COMMON | {"profile": run.profile, "dose": run.dose, "view": run.view}


def view_stage(run: Run) -> Stage:
    """Return the stage that thins both halves to the spacing of a view."""
    outputs = [paths.phase_d(run.dose, run.view, s) for s in SPLITS] + [paths.overlap_metrics(run.dose, run.view)]
    return Stage(
        3, f"02_overlap_dose{run.dose}_{run.view}", "02_overlap", _here(run),
        [DESIGN, *(paths.phase_c(run.dose, s) for s in SPLITS)], outputs, _log(f"phase_d_{run.view}"),
    )  # fmt: skip


def training_stage(run: Run, key: str) -> Stage:
    """Return the stage that trains an arm.

    Parameters
    ----------
    run
        The condition; dose and view are those of the training.
    key
        Key of an arm that trains.
    """
    d, v = run.dose, run.view
    # The two networks of the original study keep the names of its logs.
    logs = {"baseline": f"phase_e_baseline_gs1_dose{d}", "pinn": f"phase_e_{v}_gs2_dose{d}"}
    before = {options_owner(k) for k in arm(key).after}
    # The training makes images of the arms named in `after`, so it needs their options too.
    own = [paths.choice(d, v, k) for k in run.select if k in before]
    given = _here(run) | {"arm": key, "backend": run.backend} | ({"options": "scan"} if own else {})
    return Stage(
        4 if arm(key).needs_truth else 6 if before else 5, f"03_train_dose{d}_{v}_{key}", "03_train",
        given, [DESIGN, paths.phase_d(d, v, arm(key).trains_on), *own],
        [f"{paths.phase_e(d, v, key)}/{name}" for name in (arm(key).weights, "history.csv", "training.json")],
        _log(logs.get(key, f"phase_e_{v}_{key}_dose{d}")),
    )  # fmt: skip


def selection_stage(run: Run, key: str) -> Stage:
    """Return the stage that chooses the options of an arm on the scan itself.

    Parameters
    ----------
    run
        The condition.
    key
        Key of an arm that needs no training.
    """
    d, v = run.dose, run.view
    return Stage(
        6, f"03_select_dose{d}_{v}_{key}", "03_select", _here(run) | {"arm": key},
        [DESIGN, paths.phase_d(d, v, "train")], [paths.choice(d, v, key)], _log(f"phase_f_{v}_select_{key}"),
    )  # fmt: skip


def reconstruction_stage(run: Run, split: str, key: str) -> Stage:
    """Return the stage that reconstructs a split with an arm.

    Parameters
    ----------
    run
        The condition.
    split
        train or test.
    key
        Key of the arm.
    """
    d, v = run.dose, run.view
    inputs = [DESIGN, paths.phase_d(d, v, split)]
    trainer = training_of(key)
    names = (arm(trainer).weights, "training.json") if trainer else ()
    at = run.trained_at(trainer)
    # At another dose the settings of the training are needed too; training.json holds them.
    inputs += [f"{paths.phase_e(at, v, trainer)}/{name}" for name in names[: 1 if at == d else 2]]
    inputs += [paths.phase_f(d, v, split, start) for start in arm(key).after]
    own = options_owner(key) in run.select
    inputs += [paths.choice(d, v, options_owner(key))] if own else []
    end = "" if key == "ptychi" else f"_{key}"
    given = _here(run) | {"split": split, "arm": key, "backend": run.backend} | ({"options": "scan"} if own else {})
    given |= {"trained_at": at} if trainer and at != d else {}
    return Stage(
        6, f"04_reconstruct_dose{d}_{v}_{split}_{key}", "04_reconstruct", given, inputs,
        [paths.phase_f(d, v, split, key)], _log(f"phase_f_{v}_{split}{end}"),
    )  # fmt: skip


def comparison_stage(run: Run, split: str) -> Stage:
    """Return the stage that scores all arms on a split.

    Parameters
    ----------
    run
        The condition, with its arms.
    split
        train or test.
    """
    d, v = run.dose, run.view
    trained = sorted({training_of(k) for key in run.arms for k in (*needed(key), key)} - {""})
    inputs = [DESIGN, paths.phase_d(d, v, split), *(paths.phase_f(d, v, split, key) for key in run.arms)]
    inputs += [f"{paths.phase_e(run.trained_at(key), v, key)}/training.json" for key in trained]
    names = (
        "comparison_metrics.csv", "reconstructions.npz", "cost.json", "registration.json", "status.json", "frc.csv",
        "phase.png", "amplitude.png", "frc.png",
    )  # fmt: skip
    return Stage(
        7, f"05_compare_dose{d}_{v}_{split}", "05_compare", _here(run) | {"split": split, "arms": " ".join(run.arms)},
        inputs, [f"{paths.comparison(d, v, split)}/{name}" for name in names], _log(f"phase_g_{v}_{split}"),
    )  # fmt: skip


def limit_stage(run: Run) -> Stage:
    """Return the stage that computes what the photons allow, on the split by which the run is judged."""
    d, v, split = run.dose, run.view, judged(run.splits)
    names = (paths.LIMIT, "limit.npz", "limit.png")
    return Stage(
        7, f"05_limit_dose{d}_{v}_{split}", "05_limit", _here(run) | {"split": split},
        [DESIGN, paths.phase_d(d, v, split)], [f"{paths.comparison(d, v, split)}/{name}" for name in names],
        _log(f"phase_g_{v}_limit"),
    )  # fmt: skip


def uncertainty_stage(run: Run, key: str) -> Stage:
    """Return the stage that estimates the error of each pixel of an arm's image, on the split that judges the run.

    Parameters
    ----------
    run
        The condition.
    key
        Key of an arm whose `error_from_halves` is true.
    """
    d, v, split = run.dose, run.view, judged(run.splits)
    trainer = training_of(key)
    inputs = [DESIGN, paths.phase_d(d, v, split), *(paths.phase_f(d, v, split, k) for k in (*arm(key).after, key))]
    inputs += [f"{paths.phase_e(run.trained_at(trainer), v, trainer)}/{arm(trainer).weights}"] if trainer else []
    names = [paths.uncertainty(key, ending) for ending in ("json", "npz", "png")]
    return Stage(
        7, f"05_uncertainty_dose{d}_{v}_{split}_{key}", "05_uncertainty", _here(run) | {"split": split, "arm": key},
        inputs, [f"{paths.comparison(d, v, split)}/{name}" for name in names], _log(f"phase_g_{v}_uncertainty_{key}"),
    )  # fmt: skip


def evidence_stage(run: Run) -> Stage:
    """Return the stage that writes deltas, digest and report of all splits."""
    folders = [paths.comparison(run.dose, run.view, split) for split in run.splits]
    folder = paths.comparison(run.dose, run.view, judged(run.splits))
    limit = f"{folder}/{paths.LIMIT}"
    sure = [f"{folder}/{paths.uncertainty(key)}" for key in run.arms if arm(key).error_from_halves]
    measured = [paths.SCAN, paths.CEILING, paths.reference(run.dose)]
    return Stage(
        8, "06_evidence", "06_evidence",
        _here(run) | {"splits": " ".join(run.splits), "arms": " ".join(run.arms)},
        [
            DESIGN, *(measured if run.sample == MEASURED else [limit]), *sure,
            *(f"{folder}/{name}" for folder in folders for name in ("comparison_metrics.csv", "status.json")),
        ],
        ["analysis/metrics_summary.json", "analysis/metrics_delta_summary.json"], _log("phase_g_evidence"),
    )  # fmt: skip


def _log(name: str) -> str:
    """Return the hub-relative path of a log."""
    return f"cli/{name}.log"

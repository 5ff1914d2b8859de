"""The stages A to D of a run: design, simulation and overlap view.

Each reads its inputs from the hub and writes whole files into it. A notebook calls one of these functions and shows
what it returns. Where an input is missing, the error names the notebook that makes it.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydantic import ValidationError

from studylib import samples
from studylib.arms.registry import settings_of
from studylib.changes import Changes, changed, validated
from studylib.condition import simulate_halves, thin_to_view
from studylib.design import MEASURED, SPLITS, VIEWS, StudyDesign, check_groups, check_share
from studylib.errors import InputError, StageError
from studylib.io import dataset
from studylib.io.files import read_json, write_json
from studylib.physics import overlap
from studylib.physics.grouping import group
from studylib.physics.windows import extract
from studylib.run import measured, paths, plan
from studylib.run.hub import Hub
from studylib.run.parameters import Run
from studylib.run.provenance import sha256, stamp
from studylib.scan import Scan

USUAL_SAMPLE = ("leaves", "zone-plate")
"""Kinds of object and probe of a run that names none."""


def write_design(hub: Hub, profile: str, replicate: int = 0, changes: Changes | None = None) -> StudyDesign:
    """Write the frozen design of a run (phase A).

    Parameters
    ----------
    hub
        Folder of the run.
    profile
        Profile of the design: smoke, laptop or full.
    replicate
        Number of the repetition; it moves every seed.
    changes
        Settings that the user changed, by dotted name such as `map.tv`.

    Returns
    -------
    `studylib.design.StudyDesign`

    Raises
    ------
    InputError
        The profile is unknown, or a change has an unknown name or a value that is not accepted.
    """
    start = time.perf_counter()
    design = changed(StudyDesign.for_profile(profile, replicate), changes or {})
    write_json(hub / plan.DESIGN, design.model_dump(mode="json"))
    stage = plan.design_stage(Run(profile=profile, replicate=replicate, changes=changes or {}))
    stamp(hub, stage, seconds=time.perf_counter() - start, parameters={"changes": changes or {}})
    return design


def read_design(hub: Hub, profile: str) -> StudyDesign:
    """Return the design of a hub, which holds for every stage in it.

    Parameters
    ----------
    hub
        Folder of the run.
    profile
        Profile that the caller expects: smoke, laptop or full.

    Returns
    -------
    `studylib.design.StudyDesign`

    Raises
    ------
    InputError
        The hub has no design.
    StageError
        The design has another profile, or comes from a version of the study that had other settings.
    """
    content = read_json(hub / plan.DESIGN, "run notebook 00_design first (make dense-evidence)")
    try:
        design = validated(content)
    except ValidationError as error:
        told = error.errors()[0]
        raise StageError(
            f"the hub was designed by another version of the study ({'.'.join(map(str, told['loc']))}: {told['msg']}): "
            "use another hub"
        ) from error
    if design.profile != profile:
        raise StageError(f"the hub was designed with profile {design.profile}, not {profile}: use another hub")
    return design


def generate(
    hub: Hub,
    profile: str,
    dose: int,
    base: str = "",
    seed: int | None = None,
    kinds: tuple[str, str] = USUAL_SAMPLE,
    disturbed: str = "none",
) -> dict[str, Scan]:
    """Simulate both halves of a scan in counts, or thin the counts of a measured scan; write them (phase C).

    Parameters
    ----------
    hub
        Folder of the run.
    profile
        Profile of the design: smoke, laptop or full.
    dose
        Mean photons per pattern.
    base
        NPZ with probe and object, or a measured scan; empty for a built-in sample.
    seed
        Seed of positions and photons, or of the thinning of a measured scan; None takes that of the design.
    kinds
        Kind of object and kind of probe, where there is no base; "measured" for both of a measured scan.
    disturbed
        What is wrong with the simulated experiment, or with what the arms are told of it.

    Returns
    -------
    `studylib.scan.Scan` by split; the two of a measured scan are the same, the whole scan

    Raises
    ------
    InputError
        A parameter is not accepted, the base cannot be used, or the hub holds another base.
    StageError
        The hub has another design, or the reference of a measured scan is not finite.
    """
    start = time.perf_counter()
    design = read_design(hub, profile)
    seed = design.seeds.simulation if seed is None else seed
    mine = _take_over(hub, base) if base else None
    if kinds[0] == MEASURED:
        if mine is None:
            raise InputError("base", base, "the measured scan", "make measured DATA=...")
        name = Path(base).name
        scans, truth, told = measured.condition(mine, hub / paths.PROBE, hub / paths.HALF, dose, seed)
        phase = None
        write_json(hub / paths.reference(dose), told)
    else:
        source = samples.load_base(mine) if mine else samples.built_in(design.sample, design.seeds, *kinds)
        name, truth, phase = source.name, source.object, source.phase
        scans = simulate_halves(source, design.sample, dose, seed, disturbed)
    for split, scan in scans.items():
        dataset.save(hub.phase_c(dose, split), scan, truth, _true_patches(split, truth, scan), phase)
    run = Run(
        profile=profile, dose=dose, sample=kinds[0], probe=kinds[1], disturbed=disturbed,
        base_sha256=sha256(mine) if mine else "",
    )  # fmt: skip
    stamp(
        hub, plan.generation_stage(run), seconds=time.perf_counter() - start,
        parameters={"seed": seed, "base": Path(base).name or name},
    )  # fmt: skip
    return scans


def _take_over(hub: Hub, base: str) -> Path:
    """Return the path of the base in the hub, after copying a base that lies elsewhere.

    Raises
    ------
    InputError
        The hub holds another base.
    """
    kept, given = hub / plan.BASE, hub / base if (hub / base).is_file() else Path(base)
    if not kept.is_file() and given.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(given, kept)
    elif given.is_file() and sha256(given) != sha256(kept):
        raise InputError("base", base, f"the base that the hub was made with ({plan.BASE})", "use another hub")
    return kept if given.is_file() else given


def _true_patches(split: str, truth: NDArray, scan: Scan) -> NDArray | None:
    """Return the true patches of a training set, (positions, N, N) complex64; None for the test set."""
    return extract(truth, scan.positions, scan.n_pixels) if split == "train" else None


def make_view(
    hub: Hub, profile: str, dose: int, view: str, s_img: float = 1.0, n_groups: int = 0
) -> dict[str, dict[str, Any]]:
    """Thin both halves to the spacing of a view, write them, and report the overlap (phase D).

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
    s_img
        Share of the thinned positions that is kept; the subsampling seed draws them.
    n_groups
        Number of groups for which the overlap is reported; 0 means one group per position.

    Returns
    -------
    Overlap metrics by split

    Raises
    ------
    InputError
        A parameter is not accepted, a data set of phase C is missing or damaged, or the scan is already coarser than
        the view.
    StageError
        The hub has another design.
    """
    start, s_img, n_groups = time.perf_counter(), check_share(s_img), check_groups(n_groups)
    design = read_design(hub, profile)
    reports = {}
    for split in SPLITS:
        source = hub.phase_c(dose, split)
        scan, truth, phase = dataset.load_scan(source), dataset.load_truth(source), dataset.load_phase(source)
        thinned, keep = thin_to_view(scan, view, design.seeds.subsampling, s_img)
        # The spacing of a view follows from the probe: o = 1 - step / D.
        diameter = samples.probe_diameter(scan.probe)
        spacing = overlap.target_spacing(VIEWS[view], diameter)
        patches = dataset.load_patches(source)[keep] if split == "train" else None
        dataset.save(hub.phase_d(dose, view, split), thinned, truth, patches, phase)
        # The overlap is reported for the groups of PtychoPINN, whichever arms run.
        grouping = settings_of("pinn", design, thinned)[0].grouping
        groups = group(thinned.positions, grouping, design.seeds.grouping, n_groups or None)
        reports[split] = overlap.report(
            thinned.positions, len(scan.positions), groups, diameter, spacing,
            overlap.acceptance_bound(scan.positions, spacing), grouping.n_neighbours,
        )  # fmt: skip
    write_json(hub.overlap_metrics(dose, view), reports)
    stage = plan.view_stage(Run(profile=profile, dose=dose, view=view))
    stamp(hub, stage, seconds=time.perf_counter() - start, parameters={"s_img": s_img, "n_groups": n_groups})
    return reports

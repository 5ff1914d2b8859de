"""The stages A to D: design, simulation and overlap view. Each reads its inputs from the hub and writes whole files.

A notebook calls one of these and shows what comes back. Where an input is missing the error names the
notebook that makes it.
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


def write_design(hub: Hub, profile: str, replicate: int = 0, changes: Changes | None = None) -> StudyDesign:
    """Write the frozen design (A).

    Parameters
    ----------
    changes
        Settings that the user changed, by dotted name.
    """
    start = time.perf_counter()
    design = changed(StudyDesign.for_profile(profile, replicate), changes or {})
    write_json(hub / plan.DESIGN, design.model_dump(mode="json"))
    stage = plan.design_stage(Run(profile=profile, replicate=replicate, changes=changes or {}))
    stamp(hub, stage, seconds=time.perf_counter() - start, parameters={"changes": changes or {}})
    return design


def read_design(hub: Hub, profile: str) -> StudyDesign:
    """Return the hub's design, which is the design of every stage in it.

    Raises
    ------
    StageError
        It is of another profile, or of a version of the study that had other settings.
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
    """C: simulate both halves in counts, or thin those of a measured scan.

    Parameters
    ----------
    base
        NPZ with probe and object, or a measured scan; empty for the built-in sample.
    seed
        Of positions and photons; the design's when None.
    kinds
        Kind of object and kind of probe, where there is no base; "measured" for a measured scan.
    disturbed
        What is wrong with the simulated experiment, or with what is told of it.
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
    """Return the base in the hub, which keeps a copy of one that lies elsewhere.

    Raises
    ------
    InputError
        The hub holds another one.
    """
    kept, given = hub / plan.BASE, hub / base if (hub / base).is_file() else Path(base)
    if not kept.is_file() and given.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(given, kept)
    elif given.is_file() and sha256(given) != sha256(kept):
        raise InputError("base", base, f"the base that the hub was made with ({plan.BASE})", "use another hub")
    return kept if given.is_file() else given


def _true_patches(split: str, truth: NDArray, scan: Scan) -> NDArray | None:
    """Return the true patches of a training set; the test set has none."""
    return extract(truth, scan.positions, scan.n_pixels) if split == "train" else None


def make_view(
    hub: Hub, profile: str, dose: int, view: str, s_img: float = 1.0, n_groups: int = 0
) -> dict[str, dict[str, Any]]:
    """D: thin both halves to the view's spacing and report the overlap.

    Parameters
    ----------
    s_img
        Share of the thinned positions that is kept, drawn by the subsampling seed.
    n_groups
        Groups that the overlap is reported for; one a position when 0.

    Returns
    -------
    Overlap metrics by split
    """
    start, s_img, n_groups = time.perf_counter(), check_share(s_img), check_groups(n_groups)
    design = read_design(hub, profile)
    reports = {}
    for split in SPLITS:
        source = hub.phase_c(dose, split)
        scan, truth, phase = dataset.load_scan(source), dataset.load_truth(source), dataset.load_phase(source)
        thinned, keep = thin_to_view(scan, view, design.seeds.subsampling, s_img)
        diameter = samples.probe_diameter(scan.probe)
        spacing = overlap.target_spacing(VIEWS[view], diameter)
        patches = dataset.load_patches(source)[keep] if split == "train" else None
        dataset.save(hub.phase_d(dose, view, split), thinned, truth, patches, phase)
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

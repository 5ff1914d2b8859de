"""The stages A to D: design, simulation and overlap view. Each reads its inputs from the hub and writes whole files.

A notebook calls one of these and shows what comes back. Where an input is missing the error names the
notebook that makes it.
"""

from __future__ import annotations

import time
from typing import Any

from numpy.typing import NDArray
from pydantic import ValidationError

from studylib import samples
from studylib.arms.registry import settings_of
from studylib.changes import Changes, changed, validated
from studylib.condition import simulate_halves, thin_to_view
from studylib.design import SPLITS, VIEWS, StudyDesign
from studylib.errors import InputError, StageError
from studylib.io import dataset
from studylib.io.files import read_json, write_json
from studylib.physics import overlap
from studylib.physics.grouping import group
from studylib.physics.windows import extract
from studylib.run.hub import Hub
from studylib.run.provenance import stamp
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
    path = write_json(hub / "analysis/design.json", design.model_dump(mode="json"))
    stamp(
        hub, "00_design", inputs=[], outputs=[path], seconds=time.perf_counter() - start,
        parameters={"profile": profile, "replicate": replicate, "changes": changes or {}},
    )  # fmt: skip
    return design


def read_design(hub: Hub, profile: str) -> StudyDesign:
    """Return the hub's design, which is the design of every stage in it.

    Raises
    ------
    StageError
        It is of another profile, or of a version of the study that had other settings.
    """
    content = read_json(hub / "analysis/design.json", "run notebook 00_design first (make dense-evidence)")
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
    hub: Hub, profile: str, dose: int, base: str = "", seed: int | None = None, kinds: tuple[str, str] = USUAL_SAMPLE
) -> dict[str, Scan]:
    """C: simulate both halves in counts.

    Parameters
    ----------
    base
        NPZ with probe and object; empty for the built-in sample.
    seed
        Of positions and photons; the design's when None.
    kinds
        Kind of object and kind of probe, where there is no base.
    """
    start = time.perf_counter()
    design = read_design(hub, profile)
    seed = design.seeds.simulation if seed is None else seed
    source = samples.load_base(base) if base else samples.built_in(design.sample, design.seeds, *kinds)
    scans = simulate_halves(source, design.sample, dose, seed)
    outputs = [
        dataset.save(
            hub.phase_c(dose, split), scan, source.object, _true_patches(split, source.object, scan), source.phase
        )
        for split, scan in scans.items()
    ]
    stamp(
        hub, f"01_generate_dose{dose}", inputs=[hub / "analysis/design.json"], outputs=outputs,
        seconds=time.perf_counter() - start, parameters={"dose": dose, "seed": seed, "base": source.name,
                                                           "sample": kinds[0], "probe": kinds[1]},
    )  # fmt: skip
    return scans


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
    start = time.perf_counter()
    design = read_design(hub, profile)
    if not 0 < s_img <= 1:
        raise InputError("s_img", s_img, "a share above 0 and up to 1", "give s_img=1.0")
    reports, inputs, outputs = {}, [], []
    for split in SPLITS:
        inputs.append(source := hub.phase_c(dose, split))
        scan, truth, phase = dataset.load_scan(source), dataset.load_truth(source), dataset.load_phase(source)
        thinned, keep = thin_to_view(scan, view, design.seeds.subsampling, s_img)
        diameter = samples.probe_diameter(scan.probe)
        spacing = overlap.target_spacing(VIEWS[view], diameter)
        patches = dataset.load_patches(source)[keep] if split == "train" else None
        outputs.append(dataset.save(hub.phase_d(dose, view, split), thinned, truth, patches, phase))
        grouping = settings_of("pinn", design, thinned)[0].grouping
        groups = group(thinned.positions, grouping, design.seeds.grouping, n_groups or None)
        reports[split] = overlap.report(
            thinned.positions, len(scan.positions), groups, diameter, spacing,
            overlap.acceptance_bound(scan.positions, spacing), grouping.n_neighbours,
        )  # fmt: skip
    outputs.append(write_json(hub.overlap_metrics(dose, view), reports))
    stamp(
        hub, f"02_overlap_dose{dose}_{view}", inputs=inputs, outputs=outputs,
        seconds=time.perf_counter() - start,
        parameters={"dose": dose, "view": view, "s_img": s_img, "n_groups": n_groups},
    )  # fmt: skip
    return reports

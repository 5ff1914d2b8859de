"""The stage that computes how small an error the photons of a condition allow (05_limit)."""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from studylib.io import dataset
from studylib.io.files import write_json, write_with
from studylib.judge.limit import Limit, limit_of
from studylib.run import paths, plan
from studylib.run.arm_stages import VIEW_FIRST
from studylib.run.hub import Hub
from studylib.run.parameters import Run
from studylib.run.provenance import stamp
from studylib.run.stages import read_design


def compute(hub: Hub, profile: str, dose: int, view: str, split: str) -> Limit:
    """Compute the limit of a split from its true object, probe and positions; write numbers, maps and picture.

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

    Returns
    -------
    `studylib.judge.limit.Limit`

    Raises
    ------
    InputError
        The data set of the view is missing or damaged.
    StageError
        The hub has another design.
    """
    from studylib import figures

    begin = time.perf_counter()
    design, source = read_design(hub, profile), hub.phase_d(dose, view, split)
    scan, truth, phase = dataset.load_scan(source, VIEW_FIRST), dataset.load_truth(source), dataset.load_phase(source)
    # Where the true phase spans less than 2 pi, the data set holds no unwrapped phase: the angle is the phase.
    told = limit_of(truth, np.angle(truth) if phase is None else phase, scan, design.seeds.simulation)
    folder = hub.comparison(dose, view, split)
    write_json(folder / paths.LIMIT, told.report())
    maps = {"photons": told.photons, "spread": told.spread}
    write_with(folder / "limit.npz", lambda file: np.savez(file, **maps))  # type: ignore[arg-type]
    write_with(folder / "limit.png", partial(figures.limit(told.photons, told.spread).savefig, format="png", dpi=110))
    stage = plan.limit_stage(Run(profile=profile, dose=dose, view=view, splits=(split,)))
    stamp(hub, stage, seconds=time.perf_counter() - begin, parameters={})
    return told

"""Phase C of a measured scan: a shorter exposure, and a reference from all other counts in place of the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib import describe, machine
from studylib.arms.map import Map, MapSettings, solve
from studylib.crop import cropped, side_of_study
from studylib.design import LEAST_SIDE, SPLITS, check_dose
from studylib.errors import InputError
from studylib.io.npz import read_members
from studylib.io.readers import open_scan
from studylib.io.writers import write_scan
from studylib.judge import consistency
from studylib.measured import Measured
from studylib.measured_condition import most_dose, refuse_more, shorter
from studylib.probes import refuse_wrapping
from studylib.scan import Scan

REFERENCE = MapSettings(tv=0.1, amplitude_tv=1.0, iterations=150, least_gain=5e-3)
"""Settings of the solver that makes the reference. Photons are many, so a weak prior is enough. The solver goes on
until a round gains next to nothing: slow structure converges last, and beside an unfinished reference an arm that did
not converge either would score too well. On a Siemens star, images of later rounds agree with one another to a phase
MS-SSIM of 1.0000 and 0.006 rad."""

BYTES = 14
"""Bytes for each pixel of each pattern while a large scan is divided: the amplitudes of the whole scan, of the exposure
and of the rest (float32 each), and the counts held back (uint16)."""


def check(scan: Measured) -> describe.Counts:
    """Refuse a scan that the study cannot thin or reconstruct, and say why; else return what its patterns hold.

    Parameters
    ----------
    scan
        What the file holds: patterns (positions, rows, columns), positions, probe.

    Returns
    -------
    `studylib.describe.Counts`

    Raises
    ------
    InputError
        Something is missing, the counts are not raw, the far-field model does not hold, the patterns are too small or
        empty, the probe wraps round its window, or the disk has no room for the parts of the scan.
    """
    if doubt := scan.far_field_doubt():
        raise InputError("scan", scan.name, "a far-field scan", doubt)
    missing = scan.missing()
    if missing:
        raise InputError(
            f"{' and '.join(missing)} of {scan.name}", None, "what a study needs", "; ".join(missing.values())
        )
    assert scan.patterns is not None and scan.probe is not None
    n, rows, columns = scan.patterns.shape
    if not side_of_study(rows, columns):
        expected = f"patterns of at least {LEAST_SIDE} x {LEAST_SIDE} px"
        raise InputError(f"patterns of {scan.name}", f"{rows} x {columns} px", expected, "give the whole detector")
    # Arrays beyond this size go to the disk; refuse the scan now rather than half-way through.
    if BYTES * n * rows * columns > machine.HELD:
        machine.refuse_full_disk(f"patterns of {scan.name}", (n, rows, columns), BYTES * n * rows * columns)
    counts = describe.count(scan)
    if not counts.mean:
        raise InputError(
            f"patterns of {scan.name}", "no count in any of them", "patterns of a scan", "give the raw data"
        )
    if why := counts.not_raw():
        remedy = "give the raw counts of the detector: thinned, others are not what a shorter exposure would count"
        raise InputError(f"counts of {scan.name}", why, "raw counts", remedy)
    refuse_wrapping(scan.probe[0], f"probe of {scan.name}")
    return counts


def as_base(files: list[Path], folder: Path, doses: list[Any]) -> tuple[Path, list[int]]:
    """Write a measured scan of any known format as NPZ.

    Patterns are cut where their sides are unequal or not a multiple of 16. Equal scans give equal bytes, so that the
    same command resumes a study.

    Parameters
    ----------
    files
        Files of one scan.
    folder
        Folder in which scan.npz is written.
    doses
        Photons per pattern, or "full": the largest dose that leaves half of the counts for the reference.

    Returns
    -------
    path
        The NPZ (DATA-001).
    doses
        The same doses as whole numbers.

    Raises
    ------
    InputError
        The files cannot be read, the scan cannot be used (`check`), or a dose leaves less than half of the counts for
        the reference.
    """
    scan = cropped(open_scan(*files))
    mean = check(scan).mean
    told = [most_dose(mean) if str(dose) == "full" else check_dose(dose) for dose in doses]
    for dose in told:
        refuse_more(dose, mean)
    return write_scan(folder / "scan.npz", scan), told


def condition(
    path: Path, probe: Path, half: Path, dose: int, seed: int
) -> tuple[dict[str, Scan], NDArray[np.complex64], dict[str, Any]]:
    """Return the scan of a dose, the reference, and a record of how the reference was made.

    Training half and test half are the same, the whole scan. So a network trains on the patterns that it then
    reconstructs, and only the Baseline is given patches of the reference for this.

    Parameters
    ----------
    path
        The scan, as `open_scan` reads it.
    probe, half
        The two files that `measured_stage.look` wrote: the probe, and the image of one half of the counts.
    dose
        Mean photons per pattern of the exposure.
    seed
        Seed of the division of the counts.

    Returns
    -------
    scans
        The exposure by split, with counts beside it to which no arm is fitted.
    reference : (rows, columns) complex64
        Image from counts that are independent of those of the scans.
    told
        How the reference was made, and how well it explains counts to which it was not fitted.

    Raises
    ------
    InputError
        01_measured has not run, or the dose leaves less than half of the counts for the reference.
    StageError
        The reference is not finite.
    """
    measured = open_scan(path)
    chosen = read_members(probe, ("probeGuess", "_told"), "run notebook 01_measured first")
    start = read_members(half, ("objectGuess", "_seed"), "run notebook 01_measured first")
    exposure = shorter(replace(measured.scan(), probe=chosen["probeGuess"]), dose, seed)
    # Under another seed, that half would share counts with this exposure: start the reference from a flat object then.
    first = start["objectGuess"] if int(start["_seed"]) == seed else None
    image, losses = solve(exposure.rest, REFERENCE, first, name="reference")
    # The held counts of the exposure are independent of the rest, to which the reference was fitted.
    judged = consistency.measures(image, exposure.scan)
    scans = {s: replace(exposure.scan, metadata=exposure.scan.metadata | {"split": s}) for s in SPLITS}
    told = {
        "made_by": Map.name, "settings": REFERENCE.model_dump(mode="json"), "iterations": len(losses),
        "probe": str(chosen["_told"]), "photons_per_pattern": exposure.rest.metadata["dose"],
        "positions": len(exposure.rest.positions), "chi_square": judged.chi_square, "r_factor": judged.r_factor,
        "pearson": judged.pearson,
    }  # fmt: skip
    return scans, image, told

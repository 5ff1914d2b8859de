"""Phase C of a measured scan: a shorter exposure, and in place of the truth a reference from all other counts."""

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
"""Of the solver that makes the reference: photons are many, so that little prior is enough. It goes on until a round
gains next to nothing: slow structure converges last, and an arm that does not get there either would look the better
for it. On a Siemens star images of later rounds agree with one another to a phase MS-SSIM of 1.0000 and 0.006 rad."""

BYTES = 14
"""For each pixel of each pattern, of what lies beside one another while a large scan is divided: amplitudes of the
whole, of the exposure and of the rest, and the counts held back."""


def check(scan: Measured) -> describe.Counts:
    """Refuse a scan that the study cannot thin or reconstruct, in words; return what its patterns hold.

    Raises
    ------
    InputError
        Something is missing, the counts are not raw, the far-field model does not hold, or patterns are too small.
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
    """Write a measured scan as NPZ, whatever its format, and return it with the doses, "full" as a number.

    Its patterns are cut where their sides are unequal or no multiple of 16. Equal scans give equal bytes, so that a
    study of it is resumed by the same command.

    Parameters
    ----------
    files
        Of one scan.
    folder
        Where the NPZ is written.
    doses
        Photons per pattern; "full" is the most that leaves half of the counts for the reference.
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
    """Return the scan of a dose, the reference, and how it was made.

    Training and test half are one and the same, the whole scan: whoever trains does so on what is to be reconstructed,
    and only the Baseline is given patches of the reference for it.

    Parameters
    ----------
    path
        The scan, as `open_scan` reads it.
    probe, half
        What `measured_stage.look` wrote.
    dose
        Mean photons per pattern of the exposure.
    seed
        Of its division.

    Returns
    -------
    scans
        By split.
    reference : (rows, columns) complex64
        From counts that are independent of those of the scans.
    told
        How the reference was made, and how well it explains counts that it was not fitted to.
    """
    measured = open_scan(path)
    chosen = read_members(probe, ("probeGuess", "_told"), "run notebook 01_measured first")
    start = read_members(half, ("objectGuess", "_seed"), "run notebook 01_measured first")
    exposure = shorter(replace(measured.scan(), probe=chosen["probeGuess"]), dose, seed)
    # With another seed that half holds counts of this exposure: the reference then starts from a flat object.
    first = start["objectGuess"] if int(start["_seed"]) == seed else None
    image, losses = solve(exposure.rest, REFERENCE, first, name="reference")
    judged = consistency.measures(image, exposure.scan)
    scans = {s: replace(exposure.scan, metadata=exposure.scan.metadata | {"split": s}) for s in SPLITS}
    told = {
        "made_by": Map.name, "settings": REFERENCE.model_dump(mode="json"), "iterations": len(losses),
        "probe": str(chosen["_told"]), "photons_per_pattern": exposure.rest.metadata["dose"],
        "positions": len(exposure.rest.positions), "chi_square": judged.chi_square, "r_factor": judged.r_factor,
        "pearson": judged.pearson,
    }  # fmt: skip
    return scans, image, told

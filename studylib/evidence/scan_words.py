"""What has to be said about a measured scan beside its scores."""

from __future__ import annotations

from typing import Any

from studylib.evidence.markup import number
from studylib.io.files import read_json
from studylib.run.hub import Hub
from studylib.run.paths import CEILING, SCAN


def of_the_scan(hub: Hub) -> list[str]:
    """Return sentences about a measured scan: its reference, notes, orientation and ceiling.

    Returns
    -------
    list of str
        Empty for a simulated scan.
    """
    told = [_reference(read_json(path, "")) for path in sorted((hub / "data/phase_c").glob("dose_*/reference.json"))]
    if told:
        scan = read_json(hub / SCAN, "")
        told += [*scan["description"]["notes"], scan["orientation"]]
        told += [_ceiling(what, halves) for what, halves in read_json(hub / CEILING, "").items()]
    return told


def _reference(told: dict[str, Any]) -> str:
    """Return a sentence about the reference image that takes the place of the truth of a measured scan."""
    image = f"an image by {told['made_by']} of all {told['positions']} positions"
    dose = f"at {told['photons_per_pattern']:,} photons per pattern"
    fit = f"chi-square {told['chi_square']:.2f} per expected photon, R factor {told['r_factor']:.3f}"
    return (
        f"A measured scan: there is no truth. In its place stands {image} {dose}, from counts that no arm was given. "
        f"It explains held counts with {fit}, Pearson {told['pearson']:.3f} (mean pattern taken off). "
        f"Probe: {told['probe']}"
    )


def _ceiling(what: str, told: dict[str, dict[str, float | None]]) -> str:
    """Return a sentence about the agreement of two independent images of a measured scan.

    Parameters
    ----------
    what
        What was divided in two: the counts or the positions.
    told
        Scores of one image against the other, by channel.
    """
    parts = []
    for channel in ("phase", "amplitude"):
        m = told[channel]
        cells = f"MS-SSIM {number(m['ms_ssim'], 3)}, MAE {number(m['mae'], 4)}, half bit at {number(m['half_bit'], 3)}"
        parts.append(f"{channel} {cells} of Nyquist")
    return f"The ceiling, two images of half the {what} each against each other: {'; '.join(parts)}"

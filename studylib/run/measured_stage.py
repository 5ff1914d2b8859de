"""The stage that looks at a measured scan (01_measured): its probe, and the ceiling of its scores."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib import describe, orientation
from studylib.arms.map import solve
from studylib.arms.ptychi import refine_probe
from studylib.design import MEASURED
from studylib.errors import InputError
from studylib.io.files import write_json, write_with
from studylib.io.readers import open_scan
from studylib.judge import consistency, metrics, register, scores
from studylib.judge.compare import channels
from studylib.measured import Measured
from studylib.orientation import ORIENTATIONS
from studylib.physics.split import share_of, split_counts
from studylib.physics.stitch import illumination, scanned_box
from studylib.run import paths, plan, stages
from studylib.run.hub import Hub
from studylib.run.measured import REFERENCE, check
from studylib.run.provenance import stamp
from studylib.scan import Scan


def look(hub: Hub, profile: str) -> dict[str, Any]:
    """Refine the probe of the hub's measured scan and measure the ceiling of its scores; write both (01_measured).

    The probe is refined by pty-chi on nine tenths of the counts, and taken where MAP explains the last tenth better
    with it, by more than three standard errors. The ceiling: the counts are split in half, each half is
    reconstructed, and the two images are scored against each other. An arm with a strong prior, held against a
    reference of more counts than a half, may pass it.

    Returns
    -------
    What scan.json holds: description, probe and ceiling
    """
    begin = time.perf_counter()
    design = stages.read_design(hub, profile)
    if not (hub / plan.BASE).is_file():
        raise InputError("base", plan.BASE, "a measured scan in the hub", "make measured DATA=...")
    measured = open_scan(hub / plan.BASE)
    counts = check(measured)
    scan = measured.scan()
    probe, why = _better_probe(scan, design.seeds.iteration)
    assert measured.probe is not None
    light = (np.abs(measured.probe) ** 2).sum(axis=(1, 2))
    if len(light) > 1:
        why += (
            f"; the first of {len(light)} modes, with {light[0] / light.sum():.0%} of the light: the study is coherent"
        )
    scan = replace(scan, probe=probe)
    told = {
        "description": describe.describe(measured, counts), "probe": why, "orientation": _orientation(measured),
        "ceiling": _ceiling(scan, design.seeds.simulation, design.ms_ssim_sigma),
    }  # fmt: skip
    write_with(hub / paths.PROBE, lambda file: np.savez(file, probeGuess=probe, _told=why))  # type: ignore[arg-type]
    write_json(hub / paths.SCAN, told)
    run = plan.Run(profile=profile, sample=MEASURED, probe=MEASURED)
    stamp(hub, plan.scan_stage(run), seconds=time.perf_counter() - begin, parameters={})
    return told


def _orientation(scan: Measured) -> str:
    """Return in words whether the detector looks the way the file says, by the class that needs no probe."""
    found = orientation.without_probe(scan)
    if not found.clear:
        return "which way round the detector looks is not clear from the deflections of the patterns"
    if ORIENTATIONS[0] in found.members:
        return "the deflections of the patterns agree with the detector looking as the file says"
    wanted = " or ".join(map(str, found.members[:2]))
    return (
        f"WARNING: the deflections of the patterns say that the detector looks another way: {wanted} "
        "(python -m studylib inspect --orientation)"
    )


def _better_probe(scan: Scan, seed: int) -> tuple[NDArray[np.complex64], str]:
    """Return the probe that explains more, and in words which that is."""
    fit, kept = split_counts(scan.counts.astype(np.int64), (0.9, 0.1), np.random.default_rng(seed))
    part = share_of(scan, fit, 0.9, kept, 0.1)
    refined = refine_probe(part, seed=seed)
    losses = [_losses(part, probe) for probe in (part.probe, refined)]
    gain = consistency.Gain.of(losses[0] - losses[1])
    told = f"{gain.per_pattern:+.3g} +- {gain.standard_error:.2g} nats per pattern in counts that it was not refined on"
    if not gain.clear:
        return scan.probe, f"as in the file: refined by pty-chi it explains no more ({told})"
    scale = np.linalg.norm(scan.probe) / np.linalg.norm(refined)
    return (refined * scale).astype(np.complex64), f"refined by pty-chi ({told})"


def _losses(part: Scan, probe: NDArray[np.complex64]) -> NDArray[np.float64]:
    part = replace(part, probe=probe)
    return consistency.pattern_losses(solve(part, REFERENCE, name="with a probe")[0], part)


def _ceiling(scan: Scan, seed: int, sigma: float) -> dict[str, Any]:
    """Return the scores of two halves of the counts against each other, by channel; None without contrast."""
    counts = split_counts(scan.counts.astype(np.int64), (0.5, 0.5), np.random.default_rng([seed, 2]))
    one, other = (
        solve(share_of(scan, half, 0.5, half, 0.5), REFERENCE, name=f"half {k}")[0]
        for k, half in enumerate(counts, start=1)
    )
    light = illumination(scan.probe, scan.positions, scan.shape)
    box = scores.scored_box(light, scanned_box(scan.positions)).box.slices
    image = register.apply_gauge(one[box], register.fit_gauge(one[box], other[box], light[box]))
    told, _ = scores.score_image(image, other[box], sigma, np.angle(other[box]))
    for name, (a, b) in channels(image, other[box]).items():
        curve = metrics.frc(a, b)
        told[name]["half_bit"] = curve.crossing(metrics.half_bit(curve.pixels))
    return told

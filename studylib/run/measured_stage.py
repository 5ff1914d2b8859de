"""The stages that examine a measured scan: its probe (01_measured), and the ceiling of its scores (01_ceiling)."""

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
from studylib.io.npz import read_members
from studylib.io.readers import open_scan
from studylib.judge import consistency, metrics, register, scores
from studylib.judge.compare import channels
from studylib.measured import Measured
from studylib.measured_condition import half
from studylib.orientation import ORIENTATIONS
from studylib.physics.grouping import middle
from studylib.physics.split import share_of, split_counts
from studylib.run import paths, plan, stages
from studylib.run.hub import Hub
from studylib.run.measured import REFERENCE, check
from studylib.run.parameters import Run
from studylib.run.provenance import stamp
from studylib.scan import Scan

JUDGED = 150
"""Largest number of positions, from the middle of a scan, on which two probes are compared."""
REFINED = 2000
"""Largest number of positions, from the middle of a scan, on which pty-chi refines the probe: pty-chi holds all
patterns in memory."""


def look(hub: Hub, profile: str) -> dict[str, Any]:
    """Refine the probe of the hub's measured scan and reconstruct one half of its counts; write both (01_measured).

    pty-chi refines the probe on nine tenths of the counts. The refined probe is taken if MAP explains the last tenth
    better with it, by more than three standard errors. The half is the one from which no exposure is drawn.

    Parameters
    ----------
    hub
        Folder of the run, with the measured scan as its base.
    profile
        Profile of the design: smoke, laptop or full.

    Returns
    -------
    Content of scan.json: description, probe and orientation, in words

    Raises
    ------
    InputError
        The hub has no measured scan, or the scan cannot be used (`measured.check`).
    StageError
        The hub has another design, or probe or object are not finite.
    """
    begin = time.perf_counter()
    design = stages.read_design(hub, profile)
    measured = _scan_of(hub)
    counts = check(measured)
    scan = measured.scan()
    probe, why = _better_probe(scan, design.seeds.iteration)
    assert measured.probe is not None
    light = (np.abs(measured.probe) ** 2).sum(axis=(1, 2))  # (modes, N, N) -> (modes,)
    if len(light) > 1:
        why += (
            f"; the first of {len(light)} modes, with {light[0] / light.sum():.0%} of the light: the study is coherent"
        )
    told = {"description": describe.describe(measured, counts), "probe": why, "orientation": _orientation(measured)}
    seed = design.seeds.simulation
    image = _half(replace(scan, probe=probe), seed, 1)
    write_with(hub / paths.PROBE, lambda file: np.savez(file, probeGuess=probe, _told=why))
    write_with(hub / paths.HALF, lambda file: np.savez(file, objectGuess=image, _seed=seed))
    write_json(hub / paths.SCAN, told)
    run = Run(profile=profile, sample=MEASURED, probe=MEASURED)
    stamp(hub, plan.scan_stage(run), seconds=time.perf_counter() - begin, parameters={})
    return told


def ceiling(hub: Hub, profile: str) -> dict[str, dict[str, Any]]:
    """Score the images of two halves of the counts against each other, and those of two halves of the positions.

    The result is the ceiling of the scores (01_ceiling). An arm may score higher: its prior may be strong, and the
    reference that scores it has more counts than a half.

    Parameters
    ----------
    hub
        Folder of the run, with the measured scan as its base.
    profile
        Profile of the design: smoke, laptop or full.

    Returns
    -------
    Content of ceiling.json: under `counts` and `positions` the scores by channel, None where there is no contrast

    Raises
    ------
    InputError
        The hub has no measured scan, or 01_measured has not run.
    StageError
        The hub has another design, or a reconstruction is not finite.
    """
    begin = time.perf_counter()
    design = stages.read_design(hub, profile)
    first = "run notebook 01_measured first"
    scan = replace(_scan_of(hub).scan(), probe=read_members(hub / paths.PROBE, ("probeGuess",), first)["probeGuess"])
    other = read_members(hub / paths.HALF, ("objectGuess",), first)["objectGuess"]
    seed = design.seeds.simulation
    # Two random halves of the positions, each in the order of the scan.
    order = np.random.default_rng([seed, 3]).permutation(len(scan.positions))
    parts = (np.sort(part) for part in np.array_split(order, 2))
    apart = [solve(scan.take(part), REFERENCE, name="half of the positions")[0] for part in parts]
    told = {
        "counts": _agreement(_half(scan, seed, 0), other, scan, design.ms_ssim_sigma),
        "positions": _agreement(apart[0], apart[1], scan, design.ms_ssim_sigma),
    }
    write_json(hub / paths.CEILING, told)
    run = Run(profile=profile, sample=MEASURED, probe=MEASURED)
    stamp(hub, plan.ceiling_stage(run), seconds=time.perf_counter() - begin, parameters={})
    return told


def _scan_of(hub: Hub) -> Measured:
    """Return the measured scan of a hub; raise InputError where it has none."""
    if not (hub / plan.BASE).is_file():
        raise InputError("base", plan.BASE, "a measured scan in the hub", "make measured DATA=...")
    return open_scan(hub / plan.BASE)


def _half(scan: Scan, seed: int, which: int) -> NDArray[np.complex64]:
    """Return the image of one half of the counts, (rows, columns) complex64.

    `which` is 0 for the half from which every exposure is drawn, 1 for the other.
    """
    return solve(half(scan, seed, which), REFERENCE, name="half of the counts")[0]


def _orientation(scan: Measured) -> str:
    """Return in words whether the detector has the orientation that the file states, from the deflections alone."""
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
    """Return the probe of the scan or the refined one, whichever explains more counts, and say which it is.

    Parameters
    ----------
    scan
        All counts; a large scan is cut to `REFINED` positions.
    seed
        Seed of the split of the counts and of pty-chi's batches.

    Returns
    -------
    probe : (N, N) complex64
        sqrt(photons), as bright as the probe of the scan.
    why
        The reason, in words.
    """
    if len(scan.positions) > REFINED:
        scan = scan.take(middle(scan.positions, REFINED))
    fit, kept = split_counts(scan.counts.astype(np.int64), (0.9, 0.1), np.random.default_rng(seed))
    part = share_of(scan, fit, 0.9, kept, 0.1)
    refined = refine_probe(part, seed=seed)
    judged = part.take(middle(part.positions, JUDGED))
    # (positions,) for each of the two probes, nats per pattern
    losses = [_losses(judged, probe) for probe in (part.probe, refined)]
    gain = consistency.Gain.of(losses[0] - losses[1])
    told = f"{gain.per_pattern:+.3g} +- {gain.standard_error:.2g} nats per pattern in counts that it was not refined on"
    if not gain.clear:
        return scan.probe, f"as in the file: refined by pty-chi it explains no more ({told})"
    # The refined probe belongs to nine tenths of the counts; give it the photons of all.
    scale = np.linalg.norm(scan.probe) / np.linalg.norm(refined)
    return (refined * scale).astype(np.complex64), f"refined by pty-chi ({told})"


def _losses(part: Scan, probe: NDArray[np.complex64]) -> NDArray[np.float64]:
    """Return the loss of each held pattern under MAP's image with a probe, (positions,) float64, nats per pattern."""
    part = replace(part, probe=probe)
    settings = REFERENCE.model_copy(update={"rounds": 1})
    return consistency.pattern_losses(solve(part, settings, name="with a probe")[0], part)


def _agreement(one: NDArray[np.complex64], other: NDArray[np.complex64], scan: Scan, sigma: float) -> dict[str, Any]:
    """Return the scores of two images against each other, by channel; None without contrast.

    Parameters
    ----------
    one, other : (rows, columns) complex64
        Images in the frame of the positions; `other` takes the place of the truth.
    scan
        Probe and positions, which tell the scored box.
    sigma
        Gaussian pre-blur of MS-SSIM, pixels.
    """
    light, region = scores.region_of(scan)
    box = region.box.slices
    image = register.apply_gauge(one[box], register.fit_gauge(one[box], other[box], light[box]))
    told, _ = scores.score_image(image, other[box], sigma, np.angle(other[box]))
    # The half-bit threshold is made for two independent halves of the data, as these are.
    for name, (a, b) in channels(image, other[box]).items():
        curve = metrics.frc(a, b)
        told[name]["half_bit"] = curve.crossing(metrics.half_bit(curve.pixels))
    return told

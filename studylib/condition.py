"""From a sample, a dose and a view to the simulated scans of a condition, as arrays; no file is read or written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from studylib.design import HELD_SHARE, SPLITS, VIEWS, SampleSettings
from studylib.disturbances import DISTURBANCES
from studylib.physics import overlap, simulate
from studylib.samples import Sample, probe_diameter
from studylib.scan import Scan


def simulate_halves(
    source: Sample, settings: SampleSettings, dose: int, seed: int, disturbed: str = "none"
) -> dict[str, Scan]:
    """Simulate the training and the test half of a scan, in counts.

    Parameters
    ----------
    source
        Object and probe.
    settings
        Step and jitter of the scan.
    dose
        Photons per pattern, mean over both halves.
    seed
        Seed of positions and photons; the dose enters too.
    disturbed
        Name of a disturbance; none for an experiment that is what the arms assume.

    Returns
    -------
    dict of Scan by split
        Each with the held counts of a second exposure, to which no arm is fitted.

    Raises
    ------
    InputError
        The object is too small for two halves, or a pixel has more counts than float32 amplitudes hold exactly.
    """
    n_pixels, shape, wrong = source.probe.shape[0], source.object.shape, DISTURBANCES[disturbed]
    generator = np.random.default_rng([seed, dose])
    positions = simulate.scan_positions(shape, n_pixels, settings, generator)
    halves = simulate.split_along_y(positions, shape[0], n_pixels)
    used = positions[np.concatenate([halves[s] for s in SPLITS])]  # without the guard band
    probe = simulate.scale_probe(source.object, source.probe, used, dose)
    scale = simulate.intensity_scale(dose, n_pixels)
    scans = {}
    for number, split in enumerate(SPLITS, start=1):
        where = positions[halves[split]]
        diffraction = simulate.count_photons(source.object, probe, where, scale, generator, expected=wrong.expected)
        # A random stream of its own, so that the held counts do not depend on how the first were drawn.
        second = np.random.default_rng([seed, dose, number])
        held = simulate.hold_counts(source.object, probe, where, HELD_SHARE, second, wrong.expected)
        metadata = {
            "dose": dose, "split": split, "view": None, "sample": source.name, "seed": seed,
            "sample_kind": source.sample, "probe_kind": source.probe_kind,
            "object_shape": list(shape), "scan_step_px": settings.scan_step,
            **({"disturbed": wrong.words} if wrong.words else {}),
        }  # fmt: skip
        scan = Scan(diffraction, probe, where, scale, shape, metadata, held=held, held_share=HELD_SHARE)
        scans[split] = wrong.told(scan, np.random.default_rng([seed, dose, number, 1]))
    return scans


def thin_to_view(scan: Scan, view: str, seed: int, s_img: float = 1.0) -> tuple[Scan, NDArray[np.intp]]:
    """Thin a scan to the mean spacing of a view.

    Parameters
    ----------
    scan
        Scan of all positions.
    view
        Name of the view: dense or sparse.
    seed
        Seed of the order in which positions are considered.
    s_img
        Fraction of the thinned positions that is kept.

    Returns
    -------
    thinned : Scan
        The scan at the positions that are kept.
    keep : (kept,) int
        Indices of these positions in `scan`.

    Raises
    ------
    InputError
        The mean spacing of the scan is already wider than that of the view.
    """
    spacing = overlap.target_spacing(VIEWS[view], probe_diameter(scan.probe))
    keep = overlap.thin(scan.positions, spacing, seed)
    if s_img < 1:  # each position is kept with this probability
        keep = keep[np.random.default_rng(seed).random(len(keep)) < s_img]
    metadata = scan.metadata | {"view": view, "overlap": VIEWS[view], "s_img": s_img}
    return replace(scan.take(keep), metadata=metadata), keep

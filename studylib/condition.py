"""From a sample, a dose and a view to the scans of a condition: arrays, no files."""

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
        Of positions and photons.
    disturbed
        What is wrong with the experiment, or with what is told of it.

    Returns
    -------
    By split; each with the counts of a second exposure that no arm is fitted to
    """
    n_pixels, shape, wrong = source.probe.shape[0], source.object.shape, DISTURBANCES[disturbed]
    generator = np.random.default_rng([seed, dose])
    positions = simulate.scan_positions(shape, n_pixels, settings, generator)
    halves = simulate.split_along_y(positions, shape[0], n_pixels)
    used = positions[np.concatenate([halves[s] for s in SPLITS])]
    probe = simulate.scale_probe(source.object, source.probe, used, dose)
    scale = simulate.intensity_scale(dose, n_pixels)
    scans = {}
    for number, split in enumerate(SPLITS, start=1):
        where = positions[halves[split]]
        diffraction = simulate.count_photons(source.object, probe, where, scale, generator, expected=wrong.expected)
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
        All positions.
    view
        dense or sparse.
    seed
        Of the order in which positions are considered.
    s_img
        Share of the thinned positions that is kept.

    Returns
    -------
    The thinned scan, and the indices of its positions in the whole one
    """
    spacing = overlap.target_spacing(VIEWS[view], probe_diameter(scan.probe))
    keep = overlap.thin(scan.positions, spacing, seed)
    if s_img < 1:
        keep = keep[np.random.default_rng(seed).random(len(keep)) < s_img]
    metadata = scan.metadata | {"view": view, "overlap": VIEWS[view], "s_img": s_img}
    return replace(scan.take(keep), metadata=metadata), keep

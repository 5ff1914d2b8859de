"""A planned experiment: its scan, and what its photons allow. It simulates no counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import unwrap_phase

from studylib import progress
from studylib.design import VIEWS, SampleSettings
from studylib.errors import InputError, StageError
from studylib.judge.limit import limit_of
from studylib.judge.planning import Geometry
from studylib.judge.target import Allowed
from studylib.physics import overlap, simulate
from studylib.probes import probe_diameter
from studylib.samples import Sample
from studylib.scan import Scan

WINDOWS, STEPS = 2.5, 8
"""Side of the part of the object from which the limit is computed: the larger of `WINDOWS` windows, and one window plus
`STEPS` steps of the scan."""
FINER = 1.3
"""A view is thinned from a scan whose step is smaller by at least this factor."""


@dataclass(frozen=True)
class Experiment:
    """What is measured, and how.

    Attributes
    ----------
    source
        Object and probe. The object gives the power spectrum that the best linear estimator knows.
    field
        Rows and columns, in object pixels, that the positions span.
    settings
        Raster and jitter of the scan.
    seed
        Seed of the positions and of the random draws of the limit.

    Raises
    ------
    InputError
        The field has less than one row or column.
    """

    source: Sample
    field: tuple[int, int]
    settings: SampleSettings
    seed: int

    def __post_init__(self) -> None:
        if min(self.field) < 1:
            raise InputError("field", self.field, "rows and columns of at least 1 px", "give --field 512 512")

    def step(self, view: str) -> float:
        """Return the mean distance between neighbouring positions of a view, in object pixels."""
        return overlap.target_spacing(VIEWS[view], probe_diameter(self.source.probe))

    @cached_property
    def phase(self) -> NDArray[np.floating]:
        """Unwrapped phase of the object, (rows, columns), rad."""
        # A built-in object may know its phase beyond 2 pi; the phase of any other is unwrapped.
        known = self.source.phase
        return unwrap_phase(np.angle(self.source.object)) if known is None else known

    @property
    def turns(self) -> float:
        """Range of the phase in multiples of 2 pi, without the half per cent of the pixels at either end."""
        low, high = np.percentile(self.phase, (0.5, 99.5))
        return float((high - low) / (2 * np.pi))

    def scan(self, view: str, dose: float) -> tuple[Scan, NDArray[np.complex64], NDArray[np.floating]]:
        """Return a scan of the middle of the object, without counts.

        Parameters
        ----------
        view
            dense or sparse.
        dose
            Photons per pattern.

        Returns
        -------
        scan : Scan
            Positions (x, y) in pixels of the part; the probe is scaled to the dose, and all counts are zero.
        image : (rows, columns) complex64
            Object in that part.
        phase : (rows, columns)
            Its unwrapped phase, rad.
        """
        n, step = len(self.source.probe), self.step(view)
        side = int(np.ceil(max(WINDOWS * n, n + STEPS * step)))
        middle = tuple(slice(max(0, (s - side) // 2), max(0, (s - side) // 2) + side) for s in self.source.object.shape)
        image = self.source.object[middle]
        phase = self.phase[middle]
        finer = self.settings.model_copy(update={"scan_step": min(self.settings.scan_step, step / FINER)})
        positions = simulate.scan_positions(image.shape, n, finer, np.random.default_rng(self.seed))
        positions = positions[overlap.thin(positions, step, self.seed)]
        probe = simulate.scale_probe(image, self.source.probe, positions, dose)
        # (positions, N, N) zeros that take no memory: the limit does not use counts.
        nothing = np.broadcast_to(np.float32(0), (len(positions), n, n))
        return Scan(nothing, probe, positions, simulate.intensity_scale(dose, n), image.shape, {}), image, phase

    def geometry(self, view: str, measured_pixels: int) -> Geometry:
        """Return the scan of the whole field: step and number of positions.

        Parameters
        ----------
        view
            dense or sparse.
        measured_pixels
            Detector pixels per pattern in the studies that measured the computing times of the arms.

        Returns
        -------
        Geometry
            The step is in object pixels. `share` is the fraction of the photons on the object that the detector counts.
        """
        step = self.step(view)
        positions = round((self.field[0] / step + 1) * (self.field[1] / step + 1))
        scan, _, _ = self.scan(view, 1.0)
        # The probe is scaled to one photon per pattern on the detector; its own intensity falls on the object.
        share = 1 / float(np.sum(np.abs(scan.probe) ** 2))
        return Geometry(step, positions, scan.n_pixels**2, measured_pixels, share)


def allowed(experiment: Experiment, views: tuple[str, ...], doses: tuple[float, ...]) -> dict[str, list[Allowed]]:
    """Return what the photons of an experiment allow, by view, for each dose.

    Parameters
    ----------
    experiment
        Object, probe and field.
    views
        dense, sparse or both.
    doses
        Photons per pattern, in increasing order.

    Returns
    -------
    dict
        By view, one `Allowed` for each dose.

    Raises
    ------
    StageError
        The object has no limit; the message gives the reason.
    """
    told: dict[str, list[Allowed]] = {view: [] for view in views}
    with progress.bar(len(views) * len(doses), "what photons allow", "dose") as bar:
        for view in views:
            for dose in doses:
                scan, image, phase = experiment.scan(view, dose)
                limit = limit_of(image, phase, scan, experiment.seed, draws=1)
                if limit.phase_wiener is None:
                    raise StageError(f"no limit for {view} overlap at {dose:,.0f} photons per pattern: {limit.reason}")
                told[view].append(Allowed(dose, limit.photons_per_pixel, limit.phase_wiener, limit.frc50))
                bar.update(1)
    return told

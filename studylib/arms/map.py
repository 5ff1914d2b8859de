"""MAP: the most probable object under a Poisson likelihood and a total-variation prior.

The gradient of the likelihood is written out and takes one FFT and one inverse FFT for each pattern and iteration. Adam
descends on the complex object, with all patterns in every iteration and a step that decays to zero. Further rounds
continue from the result with the first step again (warm restarts), until a round gains almost nothing.

References
----------
Thibault, Guizar-Sicairos, Maximum-likelihood refinement for coherent diffractive imaging, New J. Phys. 14, 063004
(2012), eqs. 3 and 8 (the likelihood of the counts and its gradient).
Rudin, Osher, Fatemi, Nonlinear total variation based noise removal algorithms, Physica D 60, 259 (1992).
Kingma, Ba, Adam: a method for stochastic optimization, ICLR (2015).
Loshchilov, Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR (2017).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from studylib import progress
from studylib.arms.base import Arm, first_object
from studylib.arms.poisson import Likelihood, total_variation
from studylib.design import Frozen, Seeds
from studylib.errors import StageError
from studylib.reconstruction import Reconstruction, peak_memory_mib
from studylib.scan import Scan

if TYPE_CHECKING:
    import torch


class MapSettings(Frozen):
    """Settings of the MAP solver."""

    tv: float = Field(0.7, ge=0)
    """Weight of the total variation of the phase (times the amplitude), in units of sqrt(fluence). The noise of the
    likelihood's gradient grows as the square root of the photons per object pixel, and the prior has to grow with
    it."""
    amplitude_tv: float = Field(2.0, ge=0)
    """Weight of the total variation of the amplitude, as a multiple of that of the phase; 1 is the isotropic total
    variation of the complex object. Larger values suit objects whose phase varies more than their amplitude."""
    iterations: int = Field(200, ge=1)
    """Largest number of iterations in a round."""
    rounds: int = Field(10, ge=1)
    """Largest number of rounds."""
    least_gain: float = Field(1e-3, ge=0)
    """The solver ends after the first round that lowers the objective by less than this, in nats per object pixel."""
    rate: float = Field(0.05, gt=0)
    """First step of Adam in a round, in units of the object's modulus; it decays to zero as a cosine."""
    coarse: tuple[Annotated[int, Field(ge=2)], ...] = (8, 32, 128)
    """Spacings, in pixels, of the grids on which slow variations of the phase are fitted beside the pixels in the first
    round; an empty tuple fits pixels alone. The minimum is the same, but it is reached sooner where slow variations
    are strong."""
    tolerance: float = Field(1e-6, ge=0)
    """A round ends when the objective falls within ten iterations by less than this share of its whole fall."""


def solve(
    scan: Scan,
    settings: MapSettings,
    first: NDArray[np.complex64] | None = None,
    name: str = "MAP",
    background_share: float = 1.0,
    likelihood: Likelihood | None = None,
) -> tuple[NDArray[np.complex64], list[float]]:
    """Minimise the negative log-posterior of the object.

    Parameters
    ----------
    scan
        Counts, probe (sqrt(photons)) and positions.
    settings
        Prior and iterations.
    first : (rows, columns) complex64
        First object, 0 where nothing is known; the best constant object when None.
    name
        Name shown beside the progress bar.
    background_share
        Share of a whole scan's counts that this scan holds. It scales the stabilising background.
    likelihood
        Likelihood of the scan, if it is not the one with a fixed probe.

    Returns
    -------
    object : (rows, columns) complex64
    losses
        Mean negative log-likelihood per detector pixel, one for each iteration.

    Raises
    ------
    StageError
        The object is not finite.
    """
    import torch

    likelihood = likelihood or Likelihood(scan, background_share)
    start = torch.from_numpy(first_object(scan, first)).to(likelihood.device)
    # (row, column, real and imaginary part): Adam treats the two parts as separate real numbers.
    image = torch.view_as_real(start).clone()
    losses = list[float]()
    for number in range(settings.rounds):
        shown = name if number == 0 else f"{name}, round {number + 1}"
        told, objective = _round(likelihood, image, settings, settings.tv * scan.fluence**0.5, shown, number == 0)
        losses += told
        # The lowest of the last ten values stands for the end of the round. `image[..., 0]` has one entry per object
        # pixel.
        if objective[0] - min(objective[-10:]) < settings.least_gain * image[..., 0].numel():
            break
    found = torch.view_as_complex(image).cpu().numpy()
    if not np.isfinite(found).all():
        raise StageError(f"{name} diverged: its object holds NaN or infinity")
    return found, losses


def _round(
    likelihood: Likelihood, image: torch.Tensor, settings: MapSettings, weight: float, name: str, first: bool
) -> tuple[list[float], list[float]]:
    """Descend once, with a step that decays to zero.

    Parameters
    ----------
    likelihood
        Likelihood of the scan; its `step` is called after every iteration.
    image : (rows, columns, 2) float32
        Real and imaginary part of the object, changed in place.
    settings
        Prior and iterations.
    weight
        Weight of the total variation of the phase, scaled to the fluence of the scan.
    name
        Name shown beside the progress bar.
    first
        Whether this is the first round, which alone uses the coarse grids.

    Returns
    -------
    losses
        Negative log-likelihood per detector pixel, one for each iteration.
    objective
        Sum of negative log-likelihood and prior, nats, one for each iteration.
    """
    import torch

    phases = None
    if settings.coarse and first:
        # Imported here, since that module imports torch at its top.
        from studylib.arms.coarse import CoarsePhases

        phases = CoarsePhases(likelihood.scan.shape, settings.coarse, likelihood.device)
    optimiser = torch.optim.Adam([image, *(phases.grids if phases else [])], settings.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.iterations)
    losses, objective = list[float](), list[float]()
    with progress.bar(settings.iterations, name, "iteration") as bar:
        for _ in range(settings.iterations):
            loss, gradient = likelihood.loss_and_gradient(image)
            prior = 0.0
            if settings.tv:
                prior, slope = total_variation(image, weight * settings.amplitude_tv, weight)
                gradient += slope
            # The gradient is analytic, so it is given to Adam directly and nothing is differentiated automatically.
            image.grad = gradient
            if phases:
                phases.set_gradients(image, gradient)
            optimiser.step()
            if phases:
                phases.turn(image)
            # Updates a free probe; a fixed probe has nothing to update.
            likelihood.step()
            schedule.step()
            losses.append(loss / likelihood.n_values)
            objective.append(loss + prior)
            bar.update(1)
            if _stalled(objective, settings.tolerance):
                break
    return losses, objective


def _stalled(objective: list[float], tolerance: float, span: int = 10) -> bool:
    """Return whether the objective has almost stopped falling, compared with its whole fall so far.

    Parameters
    ----------
    objective
        Objective of every iteration so far.
    tolerance
        Share of the whole fall below which a recent fall counts as none.
    span
        Number of iterations in each of the two stretches whose lowest objectives are compared.
    """
    if len(objective) < 3 * span:
        return False
    recent = min(objective[-2 * span : -span]) - min(objective[-span:])
    return 0 <= recent <= tolerance * max(objective[0] - min(objective), 1e-12)


class Map(Arm):
    """The MAP arm: Poisson likelihood with total variation, started from a flat object."""

    name: ClassVar = "MAP"
    key: ClassVar = "map"
    colour: ClassVar = "#d55e00"
    settings: ClassVar = MapSettings
    error_from_halves: ClassVar = True
    without_prior: ClassVar = {"tv": 0.0, "iterations": 100, "rate": 1e-3}

    def reconstruct(
        self,
        scan: Scan,
        settings: Any,
        seeds: Seeds,
        trained: Any = None,
        starts: Mapping[str, NDArray[np.complex64]] | None = None,
    ) -> Reconstruction:
        """Solve for the object.

        Returns
        -------
        The reconstruction; `loss` is the mean negative log-likelihood per detector pixel, one value for each iteration

        Raises
        ------
        StageError
            The object is not finite.

        Notes
        -----
        The solver is deterministic, so no seed is used. It starts from the first image in `starts`, or else from the
        best constant object.
        """
        begin = time.perf_counter()
        # Of a whole scan's counts, if this scan is a share of one.
        share = float(scan.metadata.get("share", 1.0))
        image, losses = solve(scan, settings, next(iter((starts or {}).values()), None), self.name, share)
        return Reconstruction(image, np.array(losses), time.perf_counter() - begin, peak_memory_mib())

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return weights of the prior; in later rounds half and twice the best weight, then other amplitude ratios.

        Parameters
        ----------
        best
            Best settings so far; None in the first round.

        Returns
        -------
        Values of `tv` and `amplitude_tv`
        """
        # The second and later rounds search around the best weight of the prior.
        if best is None:
            return [{"tv": tv, "amplitude_tv": 2.0} for tv in (0.2, 0.4, 0.8)]
        ends = [{**best, "tv": round(best["tv"] * f, 3)} for f in (0.5, 2.0)]
        return [*ends, *({**best, "amplitude_tv": a} for a in (1.0, 2.0, 4.0))]

    def expected(self, image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float32]:
        """Return the patterns that the likelihood of the solver expects.

        Parameters
        ----------
        image : (rows, columns) complex64
        scan
            Probe and positions.

        Returns
        -------
        (positions, N, N) float32, photons, zero frequency in the centre; 0 at masked pixels
        """
        return Likelihood(scan).expected(image)


class RefineSettings(MapSettings):
    """Settings of a refinement: fewer iterations and a smaller step, since it starts close to the solution."""

    iterations: int = Field(80, ge=1)
    """Largest number of iterations in a round."""
    rate: float = Field(0.02, gt=0)
    """First step of Adam in a round, in units of the object's modulus."""


class MapFromPinn(Map):
    """The MAP solver, started from PtychoPINN's image instead of a flat object."""

    name: ClassVar = "PtychoPINN+MAP"
    key: ClassVar = "pinn_map"
    colour: ClassVar = "#a6761d"
    settings: ClassVar = RefineSettings
    error_from_halves: ClassVar = False
    options_of: ClassVar = "map"
    after: ClassVar = ("pinn",)

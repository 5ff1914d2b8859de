"""MAP: the most probable object under a Poisson likelihood and a total-variation prior.

The gradient of the likelihood is written out (one FFT and one inverse FFT for each pattern and iteration); Adam
descends on the complex object, all patterns at once, with a step that decays to zero, and again from there with the
first step (warm restarts), until a round gains nothing any more.

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
    """Weight of the total variation of the phase (times the amplitude), in units of sqrt(fluence): the noise of the
    likelihood's gradient grows as the square root of the photons per object pixel, and so must what holds it down."""
    amplitude_tv: float = Field(2.0, ge=0)
    """Weight of the total variation of the amplitude, as a multiple of the phase's; 1 is the isotropic total variation
    of the complex object. Larger values suit objects whose phase varies more than their amplitude."""
    iterations: int = Field(200, ge=1)
    """Iterations of a round at the most."""
    rounds: int = Field(10, ge=1)
    """Rounds at the most."""
    least_gain: float = Field(1e-3, ge=0)
    """The solver ends with the first round that lowers the objective by less than this, in nats per object pixel."""
    rate: float = Field(0.05, gt=0)
    """First step of Adam in a round, in units of the object's modulus; it decays to zero as a cosine."""
    coarse: tuple[Annotated[int, Field(ge=2)], ...] = (8, 32, 128)
    """Spacings, pixels, of grids on which slow waves of the phase are fitted beside the pixels, in the first round;
    none: pixels alone. They lead to the same minimum, sooner where slow waves are strong."""
    tolerance: float = Field(1e-6, ge=0)
    """A round ends when the objective falls by less than this share of its whole fall within ten iterations."""


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
        First object; 0 where nothing is known. The best constant object when None.
    name
        Shown beside the progress bar.
    background_share
        Share of the counts that the scan holds of a whole one, by which the stabilising background is scaled.
    likelihood
        Of the scan, where it is not the one of a probe that is held fixed.

    Returns
    -------
    object : (rows, columns) complex64
    losses
        Mean negative log-likelihood per detector pixel, of every iteration.

    Raises
    ------
    StageError
        The object is not finite.
    """
    import torch

    likelihood = likelihood or Likelihood(scan, background_share)
    start = torch.from_numpy(first_object(scan, first)).to(likelihood.device)
    image = torch.view_as_real(start).clone()
    losses = list[float]()
    for number in range(settings.rounds):
        shown = name if number == 0 else f"{name}, round {number + 1}"
        told, objective = _round(likelihood, image, settings, settings.tv * scan.fluence**0.5, shown, number == 0)
        losses += told
        if objective[0] - min(objective[-10:]) < settings.least_gain * image[..., 0].numel():
            break
    found = torch.view_as_complex(image).cpu().numpy()
    if not np.isfinite(found).all():
        raise StageError(f"{name} diverged: its object holds NaN or infinity")
    return found, losses


def _round(
    likelihood: Likelihood, image: torch.Tensor, settings: MapSettings, weight: float, name: str, first: bool
) -> tuple[list[float], list[float]]:
    """Descend once with a step that decays to zero; return loss per value and objective of every iteration."""
    import torch

    phases = None
    if settings.coarse and first:
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
            image.grad = gradient
            if phases:
                phases.set_gradients(image, gradient)
            optimiser.step()
            if phases:
                phases.turn(image)
            likelihood.step()
            schedule.step()
            losses.append(loss / likelihood.n_values)
            objective.append(loss + prior)
            bar.update(1)
            if _stalled(objective, settings.tolerance):
                break
    return losses, objective


def _stalled(objective: list[float], tolerance: float, span: int = 10) -> bool:
    """Return whether the objective hardly falls any more, beside its whole fall so far."""
    if len(objective) < 3 * span:
        return False
    recent = min(objective[-2 * span : -span]) - min(objective[-span:])
    return 0 <= recent <= tolerance * max(objective[0] - min(objective), 1e-12)


class Map(Arm):
    """Poisson likelihood with total variation, from a flat object."""

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
        """Solve for the object; deterministic, so that no seed enters."""
        begin = time.perf_counter()
        share = float(scan.metadata.get("share", 1.0))
        image, losses = solve(scan, settings, next(iter((starts or {}).values()), None), self.name, share)
        return Reconstruction(image, np.array(losses), time.perf_counter() - begin, peak_memory_mib())

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return weights of the prior, a factor of two apart, then the ratio of amplitude and phase."""
        if best is None:
            return [{"tv": tv, "amplitude_tv": 2.0} for tv in (0.2, 0.4, 0.8)]
        ends = [{**best, "tv": round(best["tv"] * f, 3)} for f in (0.5, 2.0)]
        return [*ends, *({**best, "amplitude_tv": a} for a in (1.0, 2.0, 4.0))]

    def expected(self, image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float32]:
        """Return the patterns that the solver's likelihood expects."""
        return Likelihood(scan).expected(image)


class RefineSettings(MapSettings):
    """Settings of the refinement: fewer iterations and a smaller step, since it starts near its end."""

    iterations: int = Field(80, ge=1)
    rate: float = Field(0.02, gt=0)


class MapFromPinn(Map):
    """The MAP solver, started from PtychoPINN's image."""

    name: ClassVar = "PtychoPINN+MAP"
    key: ClassVar = "pinn_map"
    colour: ClassVar = "#a6761d"
    settings: ClassVar = RefineSettings
    error_from_halves: ClassVar = False
    options_of: ClassVar = "map"
    after: ClassVar = ("pinn",)

"""MAP that improves the probe together with the object.

The probe starts as given. Its gradient belongs to the same likelihood: the back-propagated wave times the conjugate
object, shifted back by the subpixel fraction of each position. A few photons cannot determine all pixels of a probe.
Therefore each pixel and each frequency of the probe has a normal prior around its given value; the variance is the
power of the given probe around that pixel or frequency. Where the aperture lets no light through, the probe stays dark.
Each step approximates Newton's and has momentum. The sum of |P|^2 is kept constant, since the modulus of the object
could absorb any factor.

References
----------
Thibault, Guizar-Sicairos, Maximum-likelihood refinement for coherent diffractive imaging, New J. Phys. 14, 063004
(2012), sec. 3.2 (object and probe together).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import gaussian_filter

from studylib.arms.map import Map, MapSettings, solve
from studylib.arms.poisson import Likelihood
from studylib.design import Seeds
from studylib.physics.forward import shift_ramps
from studylib.physics.windows import nearest_pixels
from studylib.reconstruction import Reconstruction, peak_memory_mib
from studylib.scan import Scan

if TYPE_CHECKING:
    import torch

PRIOR_BLUR = 2.0
"""Standard deviation, in pixels, of the Gaussian that averages the power of the given probe and of its spectrum for the
prior."""
FAINT = 1e-8
"""Smallest power in the prior, as a fraction of the largest."""


class FreeProbe(Likelihood):
    """The likelihood of a scan as a function of object and probe.

    Parameters
    ----------
    scan
        Counts, first probe and positions.
    background_share
        As for `Likelihood`.
    rate
        Fraction of Newton's step that each step makes.
    momentum
        Fraction of the previous step that is added to each step.
    spread
        Standard deviation of the change of a pixel or frequency, as a fraction of the given probe's magnitude around
        it.
    """

    fixed_probe: ClassVar = False
    """The probe changes, so that no shifted copies of it are held."""

    def __init__(
        self, scan: Scan, background_share: float = 1.0, rate: float = 0.5, momentum: float = 0.8, spread: float = 1.0
    ) -> None:
        import torch

        super().__init__(scan, background_share)
        ramps = shift_ramps(nearest_pixels(scan.positions)[1], scan.n_pixels)
        self.rows, self.columns, self.probe = (
            torch.from_numpy(np.ascontiguousarray(array)).to(self.device) for array in (*ramps, scan.probe)
        )
        self.norm, self.rate, self.momentum = float(torch.linalg.norm(self.probe)), rate, momentum
        self.told, self.told_spectrum = self.probe, torch.fft.fft2(self.probe, norm="ortho")
        self.in_space, self.precision = (
            torch.from_numpy(_precision(wave.cpu().numpy(), spread)).to(self.device)
            for wave in (self.told, self.told_spectrum)
        )
        self.velocity = torch.zeros_like(self.probe)
        self._forget()

    def _forget(self) -> None:
        """Reset the sums that `step` uses: the gradient of the probe, and the mean |O|^2 of the windows."""
        import torch

        self.gradient, self.light = torch.zeros_like(self.probe), 0.0

    def _probes(self, part: slice) -> torch.Tensor:
        """Return the present probe at some positions, (positions in part, N, N) complex64.

        It overrides the copies that a fixed probe allows the likelihood to hold.
        """
        import torch

        spectrum = torch.fft.fft2(self.probe)
        return torch.fft.ifft2(spectrum * self.rows[part, :, None] * self.columns[part, None, :])

    def _note(self, part: slice, windows: torch.Tensor, back: torch.Tensor) -> None:
        """Add the gradient of some patterns with respect to the probe, and the mean |O|^2 of their windows.

        Parameters
        ----------
        part
            Positions of the patterns.
        windows : (positions in part, N, N) complex64
            The object in the window of each position.
        back : (positions in part, N, N) complex64
            Back-propagated waves: the derivative of the loss with respect to the conjugate exit wave.
        """
        import torch

        # (position, row frequency, column frequency)
        spectra = torch.fft.fft2(windows.conj() * back, norm="ortho")
        # The conjugate ramps shift each gradient back by the fraction of its position.
        spectra *= self.rows[part, :, None].conj() * self.columns[part, None, :].conj()
        self.gradient += spectra.sum(dim=0)  # (row frequency, column frequency)
        self.light += float((windows.real.square() + windows.imag.square()).mean(dim=(1, 2)).sum())

    def step(self) -> None:
        """Move the probe by one step with momentum, keep the sum of |P|^2, and reset the gradient."""
        import torch

        spectrum = torch.fft.fft2(self.probe, norm="ortho")
        # All in the Fourier domain, where shifts of the probe are products: (row frequency, column frequency).
        slope = self.gradient + self.precision * (spectrum - self.told_spectrum)
        # Newton's step divides by the curvature: about |O|^2 summed over positions for the likelihood, plus the prior.
        self.velocity = self.momentum * self.velocity - self.rate * slope / (self.light + self.precision)
        probe = torch.fft.ifft2(spectrum + self.velocity, norm="ortho")
        # The prior of the pixels is applied as a proximal step, which stays stable however strong the prior is.
        probe = self.told + (probe - self.told) / (1 + self.rate * self.in_space / self.light)
        self.probe = probe * (self.norm / torch.linalg.norm(probe))
        self._forget()


def _precision(wave: NDArray[np.complex64], spread: float) -> NDArray[np.float32]:
    """Return the precision of the prior for each value of a probe or of its spectrum.

    Parameters
    ----------
    wave : (N, N) complex64
        The given probe, or its orthonormal FFT.
    spread
        Standard deviation of a change, as a fraction of the magnitude of `wave` averaged over its surroundings.

    Returns
    -------
    (N, N) float32, 1 / variance
    """
    power = gaussian_filter(np.abs(wave) ** 2, PRIOR_BLUR, mode="wrap")
    return (1 / (spread**2 * np.maximum(power, FAINT * power.max()))).astype(np.float32)


class RefiningMapSettings(MapSettings):
    """Settings of the second run, in which the probe is free. The first run has the settings of MAP."""

    probe_rate: float = Field(0.5, gt=0)
    """Fraction of Newton's step that the probe makes in every iteration."""
    probe_momentum: float = Field(0.8, ge=0, lt=1)
    """Fraction of the previous probe step that is added to each step."""


class MapRefining(Map):
    """The MAP arm with the given probe, followed by a run in which the probe is free."""

    name: ClassVar = "MAP refining"
    key: ClassVar = "map_refining"
    colour: ClassVar = "#e7298a"
    settings: ClassVar = RefiningMapSettings
    error_from_halves: ClassVar = False
    options_of: ClassVar = "map"

    def reconstruct(
        self,
        scan: Scan,
        settings: Any,
        seeds: Seeds,
        trained: Any = None,
        starts: Mapping[str, NDArray[np.complex64]] | None = None,
    ) -> Reconstruction:
        """Solve for the object, then for object and probe together.

        Returns
        -------
        The reconstruction; `loss` holds the values of both runs, one after the other

        Raises
        ------
        StageError
            The object is not finite.

        Notes
        -----
        The solver is deterministic, so no seed is used.
        """
        begin, share = time.perf_counter(), float(scan.metadata.get("share", 1.0))
        # First run: the probe is fixed at its given value.
        image, losses = solve(scan, settings, next(iter((starts or {}).values()), None), self.name, share)
        likelihood = FreeProbe(scan, share, settings.probe_rate, settings.probe_momentum)
        image, more = solve(scan, settings, image, f"{self.name}, free probe", share, likelihood)
        return Reconstruction(image, np.array([*losses, *more]), time.perf_counter() - begin, peak_memory_mib())

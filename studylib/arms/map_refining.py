"""MAP that improves the probe along with the object.

The probe starts as it is told. Its gradient is that of the same likelihood: what comes back to the exit waves, times
the conjugate object, moved back by the fraction of each position. Few photons cannot tell all pixels of a probe: so
each of its pixels and each of its frequencies has a normal prior about what is told, whose variance is the power that
the told probe has around it. Where the aperture lets no light through, the probe stays dark. A step is about
Newton's, with momentum, and the sum of |P|^2 stays as it is, since the object's modulus could take over any factor.

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
"""Width over which the power of the told probe is averaged for the prior, pixels of the detector."""
FAINT = 1e-8
"""Least power of the prior, as a share of the largest."""


class FreeProbe(Likelihood):
    """The likelihood of a scan as a function of object and probe.

    Parameters
    ----------
    scan
        Counts, first probe and positions.
    background_share
        As of `Likelihood`.
    rate
        Share of Newton's step that is made.
    momentum
        Share of the last step that is made again.
    spread
        Standard deviation of the change of a frequency, as a share of what the told probe has about it.
    """

    fixed_probe: ClassVar = False

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
        import torch

        self.gradient, self.light = torch.zeros_like(self.probe), 0.0

    def _probes(self, part: slice) -> torch.Tensor:
        import torch

        spectrum = torch.fft.fft2(self.probe)
        return torch.fft.ifft2(spectrum * self.rows[part, :, None] * self.columns[part, None, :])

    def _note(self, part: slice, windows: torch.Tensor, back: torch.Tensor) -> None:
        import torch

        spectra = torch.fft.fft2(windows.conj() * back, norm="ortho")
        spectra *= self.rows[part, :, None].conj() * self.columns[part, None, :].conj()
        self.gradient += spectra.sum(dim=0)
        self.light += float((windows.real.square() + windows.imag.square()).mean(dim=(1, 2)).sum())

    def step(self) -> None:
        """Move the probe, and keep its light."""
        import torch

        spectrum = torch.fft.fft2(self.probe, norm="ortho")
        slope = self.gradient + self.precision * (spectrum - self.told_spectrum)
        self.velocity = self.momentum * self.velocity - self.rate * slope / (self.light + self.precision)
        probe = torch.fft.ifft2(spectrum + self.velocity, norm="ortho")
        # The prior of the pixels is applied as a proximal step: it may be as strong as it likes.
        probe = self.told + (probe - self.told) / (1 + self.rate * self.in_space / self.light)
        self.probe = probe * (self.norm / torch.linalg.norm(probe))
        self._forget()


def _precision(wave: NDArray[np.complex64], spread: float) -> NDArray[np.float32]:
    """Return 1 over the variance of the change of each value of a wave, (N, N)."""
    power = gaussian_filter(np.abs(wave) ** 2, PRIOR_BLUR, mode="wrap")
    return (1 / (spread**2 * np.maximum(power, FAINT * power.max()))).astype(np.float32)


class RefiningMapSettings(MapSettings):
    """Settings of the second run, in which the probe is free; the first is that of MAP."""

    probe_rate: float = Field(0.5, gt=0)
    """Share of Newton's step that the probe makes in every iteration."""
    probe_momentum: float = Field(0.8, ge=0, lt=1)


class MapRefining(Map):
    """MAP with the probe as it is told, and from there with a probe that is improved along."""

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
        """Solve for the object, then for object and probe; deterministic, so that no seed enters."""
        begin, share = time.perf_counter(), float(scan.metadata.get("share", 1.0))
        image, losses = solve(scan, settings, next(iter((starts or {}).values()), None), self.name, share)
        likelihood = FreeProbe(scan, share, settings.probe_rate, settings.probe_momentum)
        image, more = solve(scan, settings, image, f"{self.name}, free probe", share, likelihood)
        return Reconstruction(image, np.array([*losses, *more]), time.perf_counter() - begin, peak_memory_mib())

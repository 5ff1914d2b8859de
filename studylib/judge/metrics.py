"""Image metrics with explicit ranges, on real images (amplitude or phase).

The range is the truth's, max - min. A perfect reconstruction scores MAE 0 and MS-SSIM 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from studylib.design import METRICS
from studylib.errors import StageError

WANG_2003 = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of the five scales (Wang, Simoncelli, Bovik, Asilomar 2003)."""
KERNEL = 11
TAPER = 0.2
"""Share of each side that the window of the ring correlation tapers."""
NAMES = METRICS


def data_range(truth: NDArray) -> float:
    """Return max - min of the truth.

    Raises
    ------
    StageError
        The truth is constant: no metric relative to its range exists.
    """
    span = float(np.ptp(truth))
    if span <= 0:
        raise StageError("the truth is constant in the scanned box, so no range exists for the metrics")
    return span


def mae(image: NDArray, truth: NDArray) -> float:
    """Return the mean absolute error."""
    return float(np.mean(np.abs(image - truth)))


def mse(image: NDArray, truth: NDArray) -> float:
    """Return the mean squared error."""
    return float(np.mean((image - truth) ** 2))


def psnr(image: NDArray, truth: NDArray) -> float:
    """Return the peak signal-to-noise ratio, dB; infinite for a perfect image."""
    error = mse(image, truth)
    return float("inf") if error == 0 else float(10 * np.log10(data_range(truth) ** 2 / error))


def ssim(image: NDArray, truth: NDArray) -> float:
    """Return the structural similarity (Wang et al. 2004: Gaussian window, sigma 1.5, 11 taps)."""
    return float(
        structural_similarity(
            image.astype(np.float64),
            truth.astype(np.float64),
            data_range=data_range(truth),
            gaussian_weights=True,
            sigma=1.5,
            truncate=3.5,
            use_sample_covariance=False,
        )
    )


def n_scales(shape: tuple[int, int]) -> int:
    """Return how many of the five scales fit.

    The window must fit the coarsest, 2^(s-1) times smaller; torchmetrics wants (s-1)^2 windows too,
    which is more for four scales.
    """
    return max(s for s in range(1, 6) if s == 1 or min(shape) >= KERNEL * max(2 ** (s - 1), (s - 1) ** 2))


def ms_ssim(image: NDArray, truth: NDArray, sigma: float = 0.0) -> float:
    """Return the multi-scale structural similarity.

    Parameters
    ----------
    image, truth : (rows, columns)
    sigma
        Gaussian pre-blur of both, pixels; 0 for none.

    Notes
    -----
    With less than 176 px in a direction fewer scales are used, their weights renormalised to 1.

    References
    ----------
    Wang, Simoncelli, Bovik, Multiscale structural similarity for image quality assessment (2003).
    """
    from studylib.arms.torchvision_shim import ready_torchvision

    ready_torchvision()
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    if sigma:
        image, truth = gaussian_filter(image, sigma), gaussian_filter(truth, sigma)
    weights = np.array(WANG_2003[: n_scales(truth.shape)])
    tried, true = (torch.from_numpy(np.array(a, dtype=np.float64))[None, None] for a in (image, truth))
    value = multiscale_structural_similarity_index_measure(
        tried,
        true,
        sigma=1.5,
        kernel_size=KERNEL,
        data_range=data_range(truth),
        betas=tuple(float(w) for w in weights / weights.sum()),
        normalize="relu",
    )
    return float(value)


@dataclass(frozen=True)
class RingCorrelation:
    """Fourier ring correlation.

    Attributes
    ----------
    frequency : (rings,) float64, fraction of Nyquist
    correlation : (rings,) float64, -1..1
    pixels : (rings,) int64, pixels of each ring
    """

    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]
    pixels: NDArray[np.int64]

    def crossing(self, threshold: float | NDArray[np.float64] = 0.5) -> float | None:
        """Return the frequency where the curve first falls from above the threshold to below it.

        The first rings may be below: a periodic object has no power in them, and any ramp of the image rules there.

        Parameters
        ----------
        threshold
            One for all rings (0.5 against the truth), or one for each (`half_bit`, between independent halves).

        Returns
        -------
        None if the curve does not fall below once it was above, the first ring's frequency if it is above nowhere.
        """
        above = self.correlation - threshold
        if not (above >= 0).any():
            return float(self.frequency[0])
        first = int(np.argmax(above >= 0))
        below = np.flatnonzero(above[first:] < 0)
        if len(below) == 0:
            return None
        i = first + int(below[0])
        (x0, x1), (y0, y1) = self.frequency[i - 1 : i + 1], above[i - 1 : i + 1]
        return float(x0 + y0 / (y0 - y1) * (x1 - x0))


def frc(image: NDArray, truth: NDArray, n_rings: int | None = None) -> RingCorrelation:
    """Return the Fourier ring correlation of two real images of one shape, means removed.

    A Tukey window (20 % of each side tapered) keeps 0.81 of the area, where Hann's keeps 0.25: the correlation of a
    ring is less noisy, and the edges still do not leak.

    Parameters
    ----------
    image, truth : (rows, columns)
    n_rings
        Rings up to Nyquist; a quarter of the shorter side when None.

    References
    ----------
    Saxton, Baumeister, The correlation averaging of a regularly arranged bacterial cell envelope
    protein, J. Microsc. 127, 127 (1982).
    """
    from scipy.signal.windows import tukey  # half a second, which stages that judge nothing need not wait

    window = tukey(truth.shape[0], TAPER)[:, None] * tukey(truth.shape[1], TAPER)[None, :]
    a, b = (np.fft.fft2((i - i.mean()) * window) for i in (image, truth))
    radius = np.hypot(np.fft.fftfreq(truth.shape[0])[:, None], np.fft.fftfreq(truth.shape[1])[None, :])
    n_rings = n_rings or min(truth.shape) // 4
    ring = np.ceil(radius / 0.5 * n_rings).astype(int).ravel()

    def total(values: NDArray) -> NDArray[np.float64]:
        return np.bincount(ring, weights=values.ravel()).astype(np.float64)[1 : n_rings + 1]

    power = np.sqrt(total(np.abs(a) ** 2) * total(np.abs(b) ** 2))
    cross = total((a * np.conj(b)).real)
    # An image without power in a ring agrees with nothing there.
    correlation = np.divide(cross, power, out=np.zeros_like(cross), where=power > 0)
    pixels = np.bincount(ring)[1 : n_rings + 1]
    return RingCorrelation((np.arange(n_rings) + 0.5) / n_rings, correlation, pixels)


def half_bit(pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the half-bit threshold of each ring, for two independent halves of the data.

    Parameters
    ----------
    pixels : (rings,) int
        Pixels of each ring.

    References
    ----------
    van Heel, Schatz, Fourier shell correlation threshold criteria, J. Struct. Biol. 151, 250 (2005).
    """
    root = np.sqrt(pixels)
    return (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)

"""Image metrics with explicit ranges, on real images (amplitude or phase).

The range is that of the truth, max - min. A perfect reconstruction has MAE 0 and MS-SSIM 1.
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
"""Side of the window of MS-SSIM, pixels."""
TAPER = 0.2
"""Fraction of each side that the window of the ring correlation tapers."""
NAMES = METRICS
"""Names of the metrics in the table."""


def data_range(truth: NDArray) -> float:
    """Return the range of the truth, max - min.

    Parameters
    ----------
    truth : (rows, columns)

    Raises
    ------
    StageError
        The truth is constant, so that no metric relative to its range exists.
    """
    span = float(np.ptp(truth))
    if span <= 0:
        raise StageError("the truth is constant in the scanned box, so no range exists for the metrics")
    return span


def mae(image: NDArray, truth: NDArray) -> float:
    """Return the mean absolute error, in the unit of the images.

    Parameters
    ----------
    image, truth : (rows, columns)

    Returns
    -------
    float

    Examples
    --------
    >>> mae(np.array([0.0, 1.0]), np.array([0.0, 0.5]))
    0.25
    """
    return float(np.mean(np.abs(image - truth)))


def mse(image: NDArray, truth: NDArray) -> float:
    """Return the mean squared error, in the squared unit of the images.

    Parameters
    ----------
    image, truth : (rows, columns)

    Returns
    -------
    float

    Examples
    --------
    >>> mse(np.array([0.0, 1.0]), np.array([0.0, 0.5]))
    0.125
    """
    return float(np.mean((image - truth) ** 2))


def psnr(image: NDArray, truth: NDArray) -> float:
    """Return the peak signal-to-noise ratio, 10 log10(range^2 / MSE).

    Parameters
    ----------
    image, truth : (rows, columns)

    Returns
    -------
    float, dB; infinite for a perfect image

    Raises
    ------
    StageError
        The truth is constant and the image differs from it.

    Examples
    --------
    >>> round(psnr(np.array([0.0, 0.9]), np.array([0.0, 1.0])), 2)
    23.01
    """
    error = mse(image, truth)
    return float("inf") if error == 0 else float(10 * np.log10(data_range(truth) ** 2 / error))


def ssim(image: NDArray, truth: NDArray) -> float:
    """Return the structural similarity, with a Gaussian window of sigma 1.5 px and 11 taps.

    Parameters
    ----------
    image, truth : (rows, columns)

    Returns
    -------
    float, 1 for a perfect image

    Raises
    ------
    StageError
        The truth is constant.

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli, Image quality assessment: from error visibility to structural similarity, IEEE
    Trans. Image Process. 13, 600 (2004).
    """
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

    The window has to fit into the coarsest scale, which is 2^(s-1) times smaller. Torchmetrics also requires a side of
    (s-1)^2 windows, which is more for four scales. So five scales need 176 px, four 99 px, three 44 px, two 22 px.

    Parameters
    ----------
    shape
        Rows and columns of the image.

    Returns
    -------
    1 to 5

    Examples
    --------
    >>> n_scales((176, 200)), n_scales((64, 64))
    (5, 3)
    """
    return max(s for s in range(1, 6) if s == 1 or min(shape) >= KERNEL * max(2 ** (s - 1), (s - 1) ** 2))


def ms_ssim(image: NDArray, truth: NDArray, sigma: float = 0.0) -> float:
    """Return the multi-scale structural similarity.

    Parameters
    ----------
    image, truth : (rows, columns)
    sigma
        Standard deviation of a Gaussian pre-blur of both images, pixels; 0 for none.

    Returns
    -------
    float, 1 for a perfect image

    Raises
    ------
    StageError
        The truth is constant, after the blur if there is one.

    Notes
    -----
    With less than 176 px in a direction fewer scales are used, and their weights are renormalised to 1.

    References
    ----------
    Wang, Simoncelli, Bovik, Multiscale structural similarity for image quality assessment (2003).

    Examples
    --------
    >>> truth = np.random.default_rng(1).uniform(size=(64, 64))
    >>> ms_ssim(truth, truth)
    1.0
    """
    from studylib.arms.torchvision_shim import ready_torchvision

    ready_torchvision()
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    if sigma:
        image, truth = gaussian_filter(image, sigma), gaussian_filter(truth, sigma)
    weights = np.array(WANG_2003[: n_scales(truth.shape)])
    # (batch, channel, row, column)
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
    frequency : (rings,) float64
        Centre of each ring, as a fraction of Nyquist.
    correlation : (rings,) float64
        Between -1 and 1.
    pixels : (rings,) int64
        Number of pixels in each ring.
    """

    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]
    pixels: NDArray[np.int64]

    def crossing(self, threshold: float | NDArray[np.float64] = 0.5) -> float | None:
        """Return the frequency at which the curve first falls from above the threshold to below it.

        The first rings may lie below the threshold: a periodic object has no power in them, so that any remaining phase
        ramp of the image dominates there.

        Parameters
        ----------
        threshold
            One value for all rings (0.5 against the truth), or one for each ring (`half_bit`, between independent
            halves).

        Returns
        -------
        Frequency as a fraction of Nyquist, interpolated linearly. None if the curve does not fall below after it was
        above; the frequency of the first ring if it is nowhere above
        """
        above = self.correlation - threshold
        if not (above >= 0).any():
            return float(self.frequency[0])
        first = int(np.argmax(above >= 0))
        below = np.flatnonzero(above[first:] < 0)
        if len(below) == 0:
            return None
        i = first + int(below[0])
        # Linear interpolation between the last ring above and the first one below.
        (x0, x1), (y0, y1) = self.frequency[i - 1 : i + 1], above[i - 1 : i + 1]
        return float(x0 + y0 / (y0 - y1) * (x1 - x0))


def frc(image: NDArray, truth: NDArray, n_rings: int | None = None) -> RingCorrelation:
    """Return the Fourier ring correlation of two real images of one shape, after their means were subtracted.

    A Tukey window tapers 20 % of each side and keeps 0.81 of the area, where Hann's window keeps 0.25. The correlation
    of a ring is therefore less noisy, and the edges still do not leak into other rings.

    Parameters
    ----------
    image, truth : (rows, columns)
    n_rings
        Number of rings up to Nyquist; a quarter of the shorter side when None.

    Returns
    -------
    `RingCorrelation`

    References
    ----------
    Saxton, Baumeister, The correlation averaging of a regularly arranged bacterial cell envelope
    protein, J. Microsc. 127, 127 (1982).

    Examples
    --------
    >>> truth = np.random.default_rng(1).uniform(size=(64, 64))
    >>> bool(np.allclose(frc(truth, truth).correlation[1:], 1))
    True
    """
    from scipy.signal.windows import tukey  # takes half a second, which stages without metrics need not spend

    window = tukey(truth.shape[0], TAPER)[:, None] * tukey(truth.shape[1], TAPER)[None, :]
    a, b = (np.fft.fft2((i - i.mean()) * window) for i in (image, truth))
    # Cycles per pixel; 0.5 is Nyquist. Ring 0 holds the zero frequency alone.
    radius = np.hypot(np.fft.fftfreq(truth.shape[0])[:, None], np.fft.fftfreq(truth.shape[1])[None, :])
    n_rings = n_rings or min(truth.shape) // 4
    ring = np.ceil(radius / 0.5 * n_rings).astype(int).ravel()

    def total(values: NDArray) -> NDArray[np.float64]:
        """Return the sum of values (rows, columns) over each ring, (rings,), without zero frequency and corners."""
        return np.bincount(ring, weights=values.ravel()).astype(np.float64)[1 : n_rings + 1]

    power = np.sqrt(total(np.abs(a) ** 2) * total(np.abs(b) ** 2))
    cross = total((a * np.conj(b)).real)
    # An image without power in a ring is uncorrelated with the truth there.
    correlation = np.divide(cross, power, out=np.zeros_like(cross), where=power > 0)
    pixels = np.bincount(ring)[1 : n_rings + 1]
    return RingCorrelation((np.arange(n_rings) + 0.5) / n_rings, correlation, pixels)


def half_bit(pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the half-bit threshold of each ring, for two independent halves of the data.

    Parameters
    ----------
    pixels : (rings,) int
        Number of pixels in each ring.

    Returns
    -------
    (rings,) float64

    References
    ----------
    van Heel, Schatz, Fourier shell correlation threshold criteria, J. Struct. Biol. 151, 250 (2005).
    """
    root = np.sqrt(pixels)
    return (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)

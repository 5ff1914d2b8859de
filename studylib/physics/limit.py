"""The limit that photons set: the information that counts hold about an object, and draws of the error that remains.

The object is O = exp(a + i phi), and z = a + i phi stands for both of its maps. A detector pixel counts a Poisson
variable of mean lambda + b, where lambda = |psi|^2, psi = FFT2(P O) and b is the background. Its Fisher information
about z is

    F = J^T J,    J z = 2 w Re(u* FFT2(P O z)),    u = psi / |psi|,    w^2 = lambda / (lambda + b).

For each of the two maps the diagonal of F is about 2 n, where n(r) = sum_j |P(r - x_j) O(r)|^2 is the number of photons
that the object pixel sends to the detector. No unbiased estimator has a covariance below F^-1 (Cramer-Rao). With a
normal prior of precision L the best linear estimator (Wiener) has the covariance (F + L)^-1. Neither matrix is ever
formed. The solution of

    (F + L) z = J^T eta + L^(1/2) xi,    eta and xi white,

is a draw from a normal distribution of that covariance. Conjugate gradients find it with two FFTs per pattern and step.

References
----------
Wei et al., arXiv:2003.05475 (2020) (the bound of Cramer and Rao for ptychography with Poisson noise).
Bouchet, Dong, Maestre, Juffmann, Fundamental bounds on the precision of classical phase microscopes, arXiv:2011.04799
(2020) (the information of counts about a phase).
Papandreou, Yuille, Gaussian sampling by local perturbations, NIPS (2010) (draws by solving with perturbed data).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.sparse.linalg import LinearOperator, cg

from studylib.errors import StageError
from studylib.physics.forward import probes_at
from studylib.physics.windows import extract, place
from studylib.scan import Scan

BATCH = 64
"""Number of patterns that are processed together."""
STEPS, ACCURACY = 5000, 1e-4
"""Largest number of conjugate-gradient steps, and the residual that ends them, as a fraction of the right-hand side."""


class Prior(Protocol):
    """What is known about an object before any photon is counted: independent normal maps a and phi of precision L."""

    def precision(self, z: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return L z.

        Parameters
        ----------
        z : (rows, columns) complex128
            z = a + i phi.

        Returns
        -------
        (rows, columns) complex128
        """
        ...

    def draw(self, shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.complex128]:
        """Return L^(1/2) xi with white xi: a draw of covariance L.

        Parameters
        ----------
        shape
            Rows and columns of the object.
        generator
            Source of xi.

        Returns
        -------
        (rows, columns) complex128
        """
        ...

    def nearly_inverse(self, z: NDArray[np.complex128], light: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return an approximation of (2 n + L)^-1 z, the preconditioner of the conjugate gradients.

        Parameters
        ----------
        z : (rows, columns) complex128
            z = a + i phi.
        light : (rows, columns) float64
            n, the photons that each object pixel sends to the detector.

        Returns
        -------
        (rows, columns) complex128
        """
        ...


@dataclass(frozen=True)
class Ridge:
    """The same precision for every pixel, each independent of the others.

    A precision of nearly zero is almost no prior and gives the bound of unbiased estimators.

    Attributes
    ----------
    weight
        Precision, 1 / rad^2.
    """

    weight: float

    def precision(self, z: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return L z, here the weight times z.

        Parameters
        ----------
        z : (rows, columns) complex128

        Returns
        -------
        (rows, columns) complex128
        """
        return self.weight * z

    def draw(self, shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.complex128]:
        """Return L^(1/2) xi with white xi.

        Parameters
        ----------
        shape
            Rows and columns of the object.
        generator
            Source of xi.

        Returns
        -------
        (rows, columns) complex128
        """
        return np.sqrt(self.weight) * _white(shape, generator)

    def nearly_inverse(self, z: NDArray[np.complex128], light: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return z divided by 2 n + L, pixel by pixel.

        Parameters
        ----------
        z : (rows, columns) complex128
        light : (rows, columns) float64
            n, the photons that each object pixel sends to the detector.

        Returns
        -------
        (rows, columns) complex128
        """
        return z / (2 * light + self.weight)


@dataclass(frozen=True)
class Spectrum:
    """Stationary maps of known power spectrum: all that the Wiener estimator knows about the object.

    Attributes
    ----------
    amplitude, phase : (rows, columns) float64
        Variance of each coefficient of the orthonormal FFT of a and of phi, zero frequency first.
    """

    amplitude: NDArray[np.float64]
    phase: NDArray[np.float64]

    @classmethod
    def of(cls, image: NDArray[np.complex128], box: tuple[slice, slice], shape: tuple[int, int]) -> Spectrum:
        """Return the power spectrum of an object, averaged over rings, on the frequencies of another frame.

        Parameters
        ----------
        image : (rows, columns) complex
            z = a + i phi. The means of both maps are removed first.
        box
            Rows and columns of `image` from which the spectrum is taken. There the maps fade to their means at the rim
            (Hann window).
        shape
            Rows and columns of the frame that the spectrum is wanted for.

        Returns
        -------
        Spectrum
        """
        inner = image[box]
        window = np.outer(*(np.hanning(side + 2)[1:-1] for side in inner.shape))
        # Mean square 1: the window then leaves the mean power of white noise as it is.
        window /= np.sqrt(np.mean(window**2))
        # Radial frequencies, cycles per pixel, of the wanted frame and of the box.
        wanted = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side) for side in shape), indexing="ij"))
        found = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side) for side in inner.shape), indexing="ij"))
        # One ring per frequency step of the box's shorter side.
        edges = np.arange(0, found.max() + 1 / min(inner.shape), 1 / min(inner.shape))
        maps = []
        for part in (inner.real, inner.imag):
            power = np.abs(np.fft.fft2(window * (part - part.mean()), norm="ortho")) ** 2
            ring, count = (np.histogram(found, edges, weights=w)[0] for w in (power, np.ones_like(power)))
            # A ring without any frequency has no mean.
            kept = count > 0
            middle = (edges[:-1] + edges[1:])[kept] / 2
            # The floor keeps the logarithm finite where a map has no power.
            logs = np.log(np.maximum(ring[kept] / count[kept], 1e-12 * power.max() + 1e-30))
            maps.append(np.exp(np.interp(wanted, middle, logs)))
        return cls(*maps)

    def precision(self, z: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return L z, here z filtered by the inverse of its power spectrum.

        Parameters
        ----------
        z : (rows, columns) complex128

        Returns
        -------
        (rows, columns) complex128
        """
        return self._filtered(z, 1 / self.amplitude, 1 / self.phase)

    def draw(self, shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.complex128]:
        """Return L^(1/2) xi with white xi.

        Parameters
        ----------
        shape
            Rows and columns of the object; those of the spectrum.
        generator
            Source of xi.

        Returns
        -------
        (rows, columns) complex128
        """
        return self._filtered(_white(shape, generator), self.amplitude**-0.5, self.phase**-0.5)

    def nearly_inverse(self, z: NDArray[np.complex128], light: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return (2 n + L)^-1 z with n replaced by its mean: a filter, as if the light were the same everywhere.

        Parameters
        ----------
        z : (rows, columns) complex128
        light : (rows, columns) float64
            n, the photons that each object pixel sends to the detector.

        Returns
        -------
        (rows, columns) complex128
        """
        mean = 2 * light.mean()
        return self._filtered(z, 1 / (mean + 1 / self.amplitude), 1 / (mean + 1 / self.phase))

    @staticmethod
    def _filtered(z: NDArray, amplitude: NDArray[np.float64], phase: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return a and phi, each multiplied in Fourier space by a real factor of its own."""
        parts = [fft.ifft2(fft.fft2(p) * f).real for p, f in ((z.real, amplitude), (z.imag, phase))]
        return parts[0] + 1j * parts[1]


def _white(shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.complex128]:
    """Return noise whose real and imaginary parts are independent and have the variance 1."""
    return generator.normal(size=shape) + 1j * generator.normal(size=shape)


class Information:
    """The Fisher information that the counts of a scan hold about an object, to first order around it.

    Parameters
    ----------
    image : (rows, columns) complex64
        The object; it must not be 0 where light falls.
    scan
        Probe, positions, mask and background. Its counts are not used.

    Attributes
    ----------
    light : (rows, columns) float64
        n, the photons that each object pixel sends to the detector.
    """

    def __init__(self, image: NDArray[np.complex64], scan: Scan) -> None:
        self.image, self.scan = image, scan
        n = scan.n_pixels
        self.light = np.zeros(image.shape)
        self._blocks = []
        # Zero frequency first, as in the far field of `fft2`.
        dark = 0.0 if scan.background is None else np.fft.ifftshift(scan.background)
        seen = 1.0 if scan.mask is None else np.fft.ifftshift(scan.mask).astype(np.float32)
        for start in range(0, len(scan.positions), BATCH):
            where = scan.positions[start : start + BATCH]
            # (position, row, column)
            exits = probes_at(scan.probe, where) * extract(image, where, n)
            far = fft.fft2(exits, norm="ortho", workers=1)
            # The smallest float32 prevents division by zero where there is neither light nor background.
            weight = 2 * seen / np.sqrt(np.abs(far) ** 2 + dark + np.finfo(np.float32).tiny)
            # 2 w u* = 2 psi* / sqrt(lambda + b)
            self._blocks.append((where, exits, (weight * far.conj()).astype(np.complex64)))
            self.light += place(np.abs(exits) ** 2, where, image.shape)

    def times(self, z: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return F z.

        Parameters
        ----------
        z : (rows, columns) complex128
            z = a + i phi.

        Returns
        -------
        (rows, columns) complex128
        """
        # In single precision, like the stored exit waves, so that the FFTs stay in it.
        single = z.astype(np.complex64)
        return self._back(
            (turned * fft.fft2(exits * extract(single, where, self.scan.n_pixels), norm="ortho", workers=1)).real
            for where, exits, turned in self._blocks
        )

    def noise(self, generator: np.random.Generator) -> NDArray[np.complex128]:
        """Return J^T eta with white eta: the score that a draw of the photons gives at the true object.

        Parameters
        ----------
        generator
            Source of eta.

        Returns
        -------
        (rows, columns) complex128
        """
        return self._back(generator.normal(size=exits.shape).astype(np.float32) for _, exits, _ in self._blocks)

    def _back(self, values: Iterable[NDArray[np.float32]]) -> NDArray[np.complex128]:
        """Return J^T v, (rows, columns), of real values v on the detector.

        Parameters
        ----------
        values
            v block by block: (positions of the block, N, N), zero frequency first.
        """
        total = np.zeros(self.image.shape, np.complex128)
        for (where, exits, turned), value in zip(self._blocks, values, strict=True):
            waves = fft.ifft2(turned.conj() * value, norm="ortho", workers=1)
            total += place(exits.conj() * waves, where, self.image.shape)
        return total

    def error(self, prior: Prior, generator: np.random.Generator) -> NDArray[np.complex128]:
        """Return a draw of the error z = a + i phi that an efficient estimator makes.

        Parameters
        ----------
        prior
            Ridge for the bound of Cramer and Rao, Spectrum for the Wiener estimator.
        generator
            Source of the photon noise and of the draw from the prior.

        Returns
        -------
        (rows, columns) complex128
            Real part: error of the logarithm of the amplitude. Imaginary part: error of the phase, rad.

        Raises
        ------
        StageError
            Conjugate gradients do not converge within `STEPS` steps.
        """
        shape = self.image.shape

        # SciPy solves for one real vector: a of all pixels, then phi of all pixels.
        def real(z: NDArray) -> NDArray[np.float64]:
            return np.concatenate([z.real.ravel(), z.imag.ravel()])

        def whole(vector: NDArray[np.float64]) -> NDArray[np.complex128]:
            a, phi = vector.reshape(2, *shape)
            return a + 1j * phi

        size = 2 * self.image.size
        system = LinearOperator(
            (size, size), lambda v: real(self.times(whole(v)) + prior.precision(whole(v))), dtype=np.float64
        )
        near = LinearOperator(
            (size, size), lambda v: real(prior.nearly_inverse(whole(v), self.light)), dtype=np.float64
        )
        wanted = real(self.noise(generator) + prior.draw(shape, generator))
        found, unfinished = cg(system, wanted, rtol=ACCURACY, maxiter=STEPS, M=near)
        if unfinished:
            raise StageError(f"the limit was not found within {STEPS} steps of conjugate gradients")
        return whole(found)

"""The limit that photons set: the information that counts hold of an object, and draws of the error that it leaves.

The object is O = exp(a + i phi), and z = a + i phi stands for both of its maps. A pixel of the detector counts a
Poisson variable of mean lambda + b, lambda = |psi|^2, psi = FFT2(P O). Its Fisher information of z is

    F = J^T J,    J z = 2 w Re(u* FFT2(P O z)),    u = psi / |psi|,    w^2 = lambda / (lambda + b),

about 2 n on the diagonal of each map, n(r) = sum_j |P(r - x_j) O(r)|^2 the photons that a pixel sends. No unbiased
estimator has a covariance below F^-1 (Cramer-Rao). With a normal prior of precision L the best linear estimator
(Wiener's) has (F + L)^-1. Neither matrix is ever formed: the solution of

    (F + L) z = J^T eta + L^(1/2) xi,    eta and xi white,

is a draw from a normal distribution of that covariance, and conjugate gradients find it with two FFTs per pattern and
step.

References
----------
Wei et al., arXiv:2003.05475 (2020) (the bound of Cramer and Rao for ptychography with Poisson noise).
Bouchet, Dong, Maestre, Juffmann, Fundamental bounds on the precision of classical phase microscopes, arXiv:2011.04799
(2020) (the information of counts about a phase).
Papandreou, Yuille, Gaussian sampling by local perturbations, NIPS (2010) (draws by solving with perturbed data).
"""

from __future__ import annotations

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
"""Patterns at a time."""
STEPS, ACCURACY = 5000, 1e-4
"""Steps of conjugate gradients at the most, and the residual at which they end, as a share of the right-hand side."""


class Prior(Protocol):
    """What is known of an object before any photon: independent normal maps a and phi."""

    def precision(self, z: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return L z, of the same shape (rows, columns)."""
        ...

    def draw(self, shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.complex128]:
        """Return L^(1/2) xi."""
        ...

    def nearly_inverse(self, z: NDArray[np.complex128], light: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return about (2 n + L)^-1 z: what conjugate gradients are preconditioned by."""
        ...


@dataclass(frozen=True)
class Ridge:
    """Every pixel for itself, with the same precision: next to none, for the bound of unbiased estimators.

    Attributes
    ----------
    weight
        Precision, 1 / rad^2.
    """

    weight: float

    def precision(self, z: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return L z."""
        return self.weight * z

    def draw(self, shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.complex128]:
        """Return L^(1/2) xi."""
        return np.sqrt(self.weight) * _white(shape, generator)

    def nearly_inverse(self, z: NDArray[np.complex128], light: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return z divided by the diagonal, pixel by pixel."""
        return z / (2 * light + self.weight)


@dataclass(frozen=True)
class Spectrum:
    """Stationary maps of known power: what Wiener's estimator knows of the object.

    Attributes
    ----------
    amplitude, phase : (rows, columns) float64
        Variance of each coefficient of the orthonormal FFT of a and of phi, zero frequency first.
    """

    amplitude: NDArray[np.float64]
    phase: NDArray[np.float64]

    @classmethod
    def of(cls, image: NDArray[np.complex128], box: tuple[slice, slice], shape: tuple[int, int]) -> Spectrum:
        """Return the ring averages of an object's power, on the frequencies of another frame.

        Parameters
        ----------
        image : (rows, columns) complex
            z = a + i phi, whose mean does not count.
        box
            Where it is taken from; it fades to its mean at the rim (Hann).
        shape
            Rows and columns of the frame.
        """
        inner = image[box]
        window = np.outer(*(np.hanning(side + 2)[1:-1] for side in inner.shape))
        window /= np.sqrt(np.mean(window**2))
        wanted = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side) for side in shape), indexing="ij"))
        found = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side) for side in inner.shape), indexing="ij"))
        edges = np.arange(0, found.max() + 1 / min(inner.shape), 1 / min(inner.shape))
        maps = []
        for part in (inner.real, inner.imag):
            power = np.abs(np.fft.fft2(window * (part - part.mean()), norm="ortho")) ** 2
            ring, count = (np.histogram(found, edges, weights=w)[0] for w in (power, np.ones_like(power)))
            kept = count > 0
            middle = (edges[:-1] + edges[1:])[kept] / 2
            logs = np.log(np.maximum(ring[kept] / count[kept], 1e-12 * power.max() + 1e-30))
            maps.append(np.exp(np.interp(wanted, middle, logs)))
        return cls(*maps)

    def precision(self, z: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return L z."""
        return self._filtered(z, 1 / self.amplitude, 1 / self.phase)

    def draw(self, shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.complex128]:
        """Return L^(1/2) xi."""
        return self._filtered(_white(shape, generator), self.amplitude**-0.5, self.phase**-0.5)

    def nearly_inverse(self, z: NDArray[np.complex128], light: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return z filtered as if the light were the same everywhere."""
        mean = 2 * light.mean()
        return self._filtered(z, 1 / (mean + 1 / self.amplitude), 1 / (mean + 1 / self.phase))

    @staticmethod
    def _filtered(z: NDArray, amplitude: NDArray[np.float64], phase: NDArray[np.float64]) -> NDArray[np.complex128]:
        parts = [fft.ifft2(fft.fft2(p) * f).real for p, f in ((z.real, amplitude), (z.imag, phase))]
        return parts[0] + 1j * parts[1]


def _white(shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.complex128]:
    return generator.normal(size=shape) + 1j * generator.normal(size=shape)


class Information:
    """What the counts of a scan tell of an object, to first order around it.

    Parameters
    ----------
    image : (rows, columns) complex64
        The object, nowhere 0 where light falls.
    scan
        Probe, positions, mask and background; its counts do not enter.
    """

    def __init__(self, image: NDArray[np.complex64], scan: Scan) -> None:
        self.image, self.scan = image, scan
        n = scan.n_pixels
        self.light = np.zeros(image.shape)
        self._blocks = []
        # Zero frequency first, as the far field is.
        dark = 0.0 if scan.background is None else np.fft.ifftshift(scan.background)
        seen = 1.0 if scan.mask is None else np.fft.ifftshift(scan.mask).astype(np.float32)
        for start in range(0, len(scan.positions), BATCH):
            where = scan.positions[start : start + BATCH]
            exits = probes_at(scan.probe, where) * extract(image, where, n)
            far = fft.fft2(exits, norm="ortho", workers=1)
            weight = 2 * seen / np.sqrt(np.abs(far) ** 2 + dark + np.finfo(np.float32).tiny)
            # 2 w u* = 2 psi* / sqrt(lambda + b)
            self._blocks.append((where, exits, (weight * far.conj()).astype(np.complex64)))
            self.light += place(np.abs(exits) ** 2, where, image.shape)

    def times(self, z: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return F z, (rows, columns)."""
        single = z.astype(np.complex64)
        return self._back(
            (turned * fft.fft2(exits * extract(single, where, self.scan.n_pixels), norm="ortho", workers=1)).real
            for where, exits, turned in self._blocks
        )

    def noise(self, generator: np.random.Generator) -> NDArray[np.complex128]:
        """Return J^T eta, eta white: the score that a draw of the photons gives at the true object."""
        return self._back(generator.normal(size=exits.shape).astype(np.float32) for _, exits, _ in self._blocks)

    def _back(self, values) -> NDArray[np.complex128]:
        total = np.zeros(self.image.shape, np.complex128)
        for (where, exits, turned), value in zip(self._blocks, values, strict=True):
            waves = fft.ifft2(turned.conj() * value, norm="ortho", workers=1)
            total += place(exits.conj() * waves, where, self.image.shape)
        return total

    def error(self, prior: Prior, generator: np.random.Generator) -> NDArray[np.complex128]:
        """Return a draw of the error z = a + i phi that an efficient estimator makes, (rows, columns).

        Parameters
        ----------
        prior
            Ridge for the bound of Cramer and Rao, Spectrum for Wiener's.

        Raises
        ------
        StageError
            Conjugate gradients do not get there.
        """
        shape = self.image.shape

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

"""Layers of the physics-informed network, written in keras.ops: float32, any framework.

Patches are (batch, C, N, N); offsets (batch, C, 2) are x and y in pixels relative to the group's mean.
Only differences of offsets enter, so an offset common to a group changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from studylib.design import BACKGROUND

DARK = 0.02
"""Share of the brightest illumination that is added to the weights of a mean."""

Tensor = Any


def shift_matrix(offset: Tensor, n_pixels: int) -> Tensor:
    """Return the matrices that move N samples by an offset within a window of N.

    Bilinear: row m takes sample n with weight max(0, 1 - |m - n - offset|). Moving by -offset is the
    transpose, so what moves members onto each other is its own adjoint.

    Parameters
    ----------
    offset : (...,) float32, pixels

    Returns
    -------
    (..., N, N) float32
    """
    pixel = ops.arange(n_pixels, dtype="float32")
    return ops.maximum(0.0, 1.0 - ops.abs(pixel[:, None] - pixel[None, :] - offset[..., None, None]))


@keras.saving.register_keras_serializable("studylib")
class Shifts(keras.layers.Layer):
    """From the offsets of a group to the matrices that move its members' windows onto each other.

    Parameters
    ----------
    n_pixels
        N.
    """

    def __init__(self, n_pixels: int, **kwargs) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.n_pixels = n_pixels

    def call(self, offsets):
        """Return what `gather` takes: rows (batch, C, N, C N) and columns (batch, C, C, N, N).

        Parameters
        ----------
        offsets : (batch, C, 2) float32
            x and y of each member's window, any common origin.
        """
        n, c = self.n_pixels, offsets.shape[1]
        # Entry (i, j) takes member j into the window of member i.
        difference = offsets[:, None, :, :] - offsets[:, :, None, :]
        columns = ops.swapaxes(shift_matrix(difference[..., 0], n), -1, -2)
        rows = ops.transpose(shift_matrix(difference[..., 1], n), (0, 1, 3, 2, 4))
        return ops.reshape(rows, (-1, c, n, c * n)), columns

    def get_config(self) -> dict:
        """Return what rebuilds the layer."""
        return super().get_config() | {"n_pixels": self.n_pixels}


def gather(patches: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return, for each member's window, the sum of all members' patches at their places.

    Parameters
    ----------
    patches : (batch, C, N, N) float32
    rows, columns
        Of `Shifts`.

    Returns
    -------
    (batch, C, N, N) float32
    """
    c, n = patches.shape[1], patches.shape[2]
    moved = ops.matmul(patches[:, None], columns)
    return ops.matmul(rows, ops.reshape(moved, (-1, c, c * n, n)))


class Illuminated(keras.layers.Layer):
    """A float32 layer that knows the probe; it is saved with the network.

    Parameters
    ----------
    probe : (N, N) complex64, sqrt(photons)
        Or a nested list of (real, imaginary), as a saved network gives it.
    """

    def __init__(self, probe: np.ndarray | Sequence, **kwargs) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        array = np.asarray(probe)
        pair = array if np.iscomplexobj(array) else array[..., 0] + 1j * array[..., 1]
        # Single precision first: a network and its saved copy then compute with the same numbers.
        self.probe = pair.astype(np.complex64).astype(np.complex128)
        self.n = self.probe.shape[0]
        weight = np.abs(self.probe) ** 2
        self.weight = _tensor(weight / weight.max())

    def get_config(self) -> dict:
        """Return what rebuilds the layer."""
        pairs = np.stack([self.probe.real, self.probe.imag], axis=-1).astype(np.float64)
        return super().get_config() | {"probe": pairs.tolist()}


def _tensor(array: np.ndarray) -> Tensor:
    return ops.convert_to_tensor(np.ascontiguousarray(array, dtype=np.float32))


@keras.saving.register_keras_serializable("studylib")
class FirstEstimate(Illuminated):
    """From the C measured patterns of a group to what one step from a flat object says of it.

    The measured moduli take the phase of the bare probe's far field and are propagated back to the
    exit wave psi; P* psi / max|P|^2 is the update of the object that ePIE would make. The network is
    given this, and its mean over the group, |P|^2 as weight, so that it need not learn the Fourier
    transform, and sees what its neighbours saw of the object they share.

    References
    ----------
    Maiden, Rodenburg, An improved ptychographical phase retrieval algorithm for diffractive imaging,
    Ultramicroscopy 109, 1256 (2009), eq. 6.
    """

    def __init__(self, probe, **kwargs) -> None:
        super().__init__(probe, **kwargs)
        far = np.fft.fft2(self.probe)
        phase = far / (np.abs(far) + DARK * np.abs(far).max())
        update = np.conj(self.probe) / np.max(np.abs(self.probe) ** 2)
        self.phase_real, self.phase_imag = _tensor(phase.real), _tensor(phase.imag)
        self.update_real, self.update_imag = _tensor(update.real), _tensor(update.imag)

    def call(self, amplitudes, rows, columns):
        """Return (batch, C, N, N, 5): own estimate, the group's mean (real, imaginary), its weight.

        Parameters
        ----------
        amplitudes : (batch, C, N, N) float32
            sqrt(counts), centred.
        rows, columns
            Of `Shifts`.
        """
        n = self.n
        moduli = ops.roll(amplitudes, (n // 2, n // 2), axis=(2, 3))
        # The inverse transform by the forward one: ifft2(z) = conj(fft2(conj(z))) / N^2.
        real, imag = ops.fft2((moduli * self.phase_real, -moduli * self.phase_imag))
        real, imag = real / n, -imag / n
        own = (
            real * self.update_real - imag * self.update_imag,
            real * self.update_imag + imag * self.update_real,
        )
        total = gather(ops.broadcast_to(self.weight, ops.shape(amplitudes)), rows, columns) + DARK
        mean = [gather(part, rows, columns) / total for part in own]
        return ops.stack([*own, *mean, total], axis=-1)


@keras.saving.register_keras_serializable("studylib")
class Diffraction(Illuminated):
    """From the C object patches of a group to the C expected patterns, in photons.

    In each member's window the patches of all members are averaged at their places, |P|^2 as weight,
    then illuminated and propagated: lambda = |fftshift(FFT2(P O))|^2, orthonormal. Neighbours must
    therefore agree on the object they share, which is what a pattern alone cannot tell.

    References
    ----------
    Hoidn, Mishra, Mehta, Physics constrained unsupervised deep learning for rapid, high resolution
    scanning coherent diffraction reconstruction, Sci. Rep. 13, 22789 (2023).
    """

    def __init__(self, probe, **kwargs) -> None:
        super().__init__(probe, **kwargs)
        self.probe_real, self.probe_imag = _tensor(self.probe.real), _tensor(self.probe.imag)

    def call(self, amplitude, phase, rows, columns):
        """Return lambda (batch, C, N, N) from amplitude and phase (batch, C, N, N)."""
        n = self.n
        real, imag = amplitude * ops.cos(phase), amplitude * ops.sin(phase)
        if amplitude.shape[1] > 1:
            weight = self.weight + 1e-3
            total = gather(ops.broadcast_to(weight, ops.shape(real)), rows, columns)
            real, imag = (gather(weight * part, rows, columns) / total for part in (real, imag))
        wave_real = real * self.probe_real - imag * self.probe_imag
        wave_imag = real * self.probe_imag + imag * self.probe_real
        f_real, f_imag = ops.fft2((wave_real, wave_imag))
        intensity = (ops.square(f_real) + ops.square(f_imag)) / n**2
        return ops.roll(intensity, (n // 2, n // 2), axis=(2, 3))


@keras.saving.register_keras_serializable("studylib")
def poisson_nll(counts, expected):
    """Return the Poisson negative log-likelihood up to a constant, mean over pixels.

    lambda - (n + b) log(lambda + b) with the background b: where the model expects no light the
    gradient of the plain likelihood, 1 - n / lambda, has no bound, and a few stray photons outweigh
    the whole bright field. Its minimum is at lambda = n with any b.
    """
    return ops.mean(expected - (counts + BACKGROUND) * ops.log(expected + BACKGROUND), axis=(-1, -2, -3))

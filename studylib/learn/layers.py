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

from studylib.likelihood import poisson_loss

DARK = 0.02
"""Share of the brightest illumination that is added to the weights of the first estimate's mean."""
FAINT = 1e-6
"""The same for the mean that is illuminated again: there it only keeps from dividing by nothing."""

Tensor = Any


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


def _centring(n: int) -> np.ndarray:
    """Return (-1)^(row + column): its product with a window has the centred spectrum, N even."""
    return (-1.0) ** np.add.outer(np.arange(n), np.arange(n))


@keras.saving.register_keras_serializable("studylib")
class Overlap(Illuminated):
    """From the offsets of a group to what relates its members' windows.

    Bilinear and separable: a sample at v counts at u with weight max(0, 1 - |u - v|), for columns and for
    rows. Moving back is the transpose, so what moves members onto each other is its own adjoint.
    """

    def call(self, offsets):
        """Return the arguments of `gather`, and the light that falls on each window.

        Parameters
        ----------
        offsets : (batch, C, 2) float32
            x and y of each member's window, any common origin.

        Returns
        -------
        rows, columns : (batch, C, N, C N) float32
        light : (batch, C, 1, N, N) float32
            |P|^2 of all members, each at its place; the brightest pixel of one probe has 1.
        """
        n, c = self.n, offsets.shape[1]
        pixels = offsets[..., None] + ops.arange(n, dtype="float32")
        places = ops.reshape(ops.swapaxes(pixels, 1, 2), (-1, 2, c * n))
        weights = ops.relu(1.0 - ops.abs(places[..., None] - places[..., None, :]))
        columns, rows = (ops.reshape(weights[:, axis], (-1, c, n, c * n)) for axis in (0, 1))
        probes = ops.broadcast_to(self.weight, (ops.shape(offsets)[0], c, 1, n, n))
        return rows, columns, gather(probes, rows, columns)


def gather(patches: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return, for each member's window, the sum of all members' patches at their places.

    Parameters
    ----------
    patches : (batch, C, M, N, N) float32
        M images a member.
    rows, columns
        Of `Overlap`.

    Returns
    -------
    (batch, C, M, N, N) float32
    """
    c, m, n = patches.shape[1:4]
    if c == 1:
        return patches
    moved = ops.matmul(ops.reshape(patches, (-1, c, m * n, n)), columns)
    moved = ops.transpose(ops.reshape(moved, (-1, c, m, n, c, n)), (0, 4, 1, 3, 2, 5))
    total = ops.matmul(rows, ops.reshape(moved, (-1, c, c * n, m * n)))
    return ops.transpose(ops.reshape(total, (-1, c, n, m, n)), (0, 1, 3, 2, 4))


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
        far = np.fft.fftshift(np.fft.fft2(self.probe))
        phase = far / (np.abs(far) + DARK * np.abs(far).max())
        update = _centring(self.n) * np.conj(self.probe) / np.max(np.abs(self.probe) ** 2) / self.n
        # The inverse transform by the forward one: ifft2(z) = conj(fft2(conj(z))) / N^2.
        self.phase_real, self.phase_imag = _tensor(phase.real), _tensor(-phase.imag)
        self.update_real, self.update_imag = _tensor(update.real), _tensor(update.imag)

    def call(self, amplitudes, rows, columns, light):
        """Return (batch, C, 5, N, N): own estimate, the group's mean (real, imaginary), its weight.

        Parameters
        ----------
        amplitudes : (batch, C, N, N) float32
            sqrt(counts), centred.
        rows, columns, light
            Of `Overlap`.
        """
        real, imag = ops.fft2((amplitudes * self.phase_real, amplitudes * self.phase_imag))
        own = ops.stack(
            [
                real * self.update_real + imag * self.update_imag,
                real * self.update_imag - imag * self.update_real,
            ],
            axis=2,
        )
        total = light + DARK
        return ops.concatenate([own, gather(own, rows, columns) / total, total], axis=2)


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
        wave = _centring(self.n) * self.probe / self.n
        self.probe_real, self.probe_imag = _tensor(wave.real), _tensor(wave.imag)

    def call(self, amplitude, phase, rows, columns, light):
        """Return lambda (batch, C, N, N) from amplitude and phase (batch, C, N, N)."""
        real, imag = amplitude * ops.cos(phase), amplitude * ops.sin(phase)
        if amplitude.shape[1] > 1:
            weighted = ops.stack([self.weight * real, self.weight * imag], axis=2)
            mean = gather(weighted, rows, columns) / (light + FAINT)
            real, imag = mean[:, :, 0], mean[:, :, 1]
        f_real, f_imag = ops.fft2(
            (real * self.probe_real - imag * self.probe_imag, real * self.probe_imag + imag * self.probe_real)
        )
        return ops.square(f_real) + ops.square(f_imag)


@keras.saving.register_keras_serializable("studylib")
def poisson_nll(counts, expected):
    """Return the Poisson loss of a batch, (batch,): the mean over the pixels of a group."""
    return ops.mean(poisson_loss(counts, expected, ops.log), axis=(-1, -2, -3))

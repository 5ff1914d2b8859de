"""Layers of the physics-informed network, written in keras.ops: float32, any framework.

Patches are (batch, C, N, N); offsets (batch, C, 2) are x and y in pixels relative to the group's mean.
Only differences of offsets enter, so an offset common to a group changes nothing.

Where a member has M images they are interleaved by line, (batch, C, N, M, N): a product over rows and
one over columns then both read memory in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from studylib.physics.likelihood import poisson_loss

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
    rows. The weight depends on u - v alone; with the samples in reverse order, on the sum of two indices,
    so that a line of 2 N - 1 numbers gives each N x N matrix (a Hankel matrix), N numbers from each place.
    """

    def call(self, offsets):
        """Return the weights that `gather` takes, and the light that falls on each window.

        Parameters
        ----------
        offsets : (batch, C, 2) float32
            x and y of each member's window, any common origin.

        Returns
        -------
        weights : (2, C, batch, C, N, N) float32
            x, y; the window that is wanted; group; the member that is moved; its pixel, last one first;
            the window's pixel.
        light : (batch, C, N, 1, N) float32
            |P|^2 of all members, each at its place; the brightest pixel of one probe has 1.
        """
        n = self.n
        places = ops.transpose(offsets, (2, 1, 0))
        between = places[:, :, :, None] - ops.swapaxes(places, 1, 2)[:, None]
        distance = between[..., None] + ops.arange(1 - n, n, dtype="float32")
        weights = ops.extract_sequences(ops.relu(1.0 - ops.abs(distance)), n, 1)
        probes = ops.broadcast_to(self.weight[:, None], (ops.shape(offsets)[0], offsets.shape[1], n, 1, n))
        return weights, gather(probes, weights)


def gather(patches: Tensor, weights: Tensor) -> Tensor:
    """Return, for each member's window, the sum of all members' patches at their places.

    Parameters
    ----------
    patches : (batch, C, N, M, N) float32
        M images a member.
    weights
        Of `Overlap`.

    Returns
    -------
    (batch, C, N, M, N) float32
    """
    c, n, m = patches.shape[1:4]
    if c == 1:
        return patches
    lines = ops.reshape(ops.flip(patches, (2, 4)), (-1, c, n * m, n))
    sums = []
    for window in range(c):
        moved = ops.reshape(ops.matmul(lines, weights[0, window]), (-1, c * n, m * n))
        rows = ops.swapaxes(ops.reshape(weights[1, window], (-1, c * n, n)), 1, 2)
        sums.append(ops.reshape(ops.matmul(rows, moved), (-1, n, m, n)))
    return ops.stack(sums, axis=1)


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

    def call(self, amplitudes, weights, light):
        """Return (batch, C, N, 5, N): own estimate, the group's mean (real, imaginary), its weight.

        Parameters
        ----------
        amplitudes : (batch, C, N, N) float32
            sqrt(counts), centred.
        weights, light
            Of `Overlap`.
        """
        real, imag = ops.fft2((amplitudes * self.phase_real, amplitudes * self.phase_imag))
        own = ops.stack(
            [
                real * self.update_real + imag * self.update_imag,
                real * self.update_imag - imag * self.update_real,
            ],
            axis=3,
        )
        total = light + DARK
        return ops.concatenate([own, gather(own, weights) / total, total], axis=3)


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

    def call(self, amplitude, phase, weights, light):
        """Return lambda (batch, C, N, N) from amplitude and phase (batch, C, N, N)."""
        real, imag = amplitude * ops.cos(phase), amplitude * ops.sin(phase)
        if amplitude.shape[1] > 1:
            weighted = ops.stack([self.weight * real, self.weight * imag], axis=3)
            mean = gather(weighted, weights) / (light + FAINT)
            real, imag = mean[:, :, :, 0], mean[:, :, :, 1]
        f_real, f_imag = ops.fft2(
            (real * self.probe_real - imag * self.probe_imag, real * self.probe_imag + imag * self.probe_real)
        )
        return ops.square(f_real) + ops.square(f_imag)


@keras.saving.register_keras_serializable("studylib")
def poisson_nll(counts, expected):
    """Return the Poisson loss of a batch, (batch,): the mean over the pixels of a group."""
    return ops.mean(poisson_loss(counts, expected, ops.log), axis=(-1, -2, -3))
